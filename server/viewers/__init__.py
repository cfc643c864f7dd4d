"""The door for viewers: a snapshot as JSON, over a WebSocket, or as Server-Sent Events."""
