"""The door for viewers: one project's snapshot as JSON, over a WebSocket, or as Server-Sent Events.

Nothing is decided here: `access` says who may watch, `engine.seats` how many, `engine.hub` what they are sent and when.
"""
