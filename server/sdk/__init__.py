"""The door for SDKs."""
