"""Damaged input by the million: `python -m tests.fuzz NAME --n 1000000`, one target for each parser of the server."""
