"""The door for owners: projects, keys, tokens, reset."""
