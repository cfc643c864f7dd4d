"""What is measured: the hot path against a bare ASGI function, and the time from a request to a viewer's frame."""
