"""What SDKs send, from bytes to one observation: what a request proves, and what it tells of the application."""
