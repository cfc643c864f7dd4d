"""From the bytes that SDKs send to one observation: what a request proves, and what it tells of the application.

The grammar and its limits are Relay's. What real SDKs send is in tests/wire: 60 requests as they were captured.
"""
