"""`python -m server`, and where the installed `firstlight` script enters."""

from .command.cli import main

if __name__ == "__main__":
    main()
