"""The `firstlight` command and what it is made of."""
