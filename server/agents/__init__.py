"""For coding agents: the tools of an MCP server (`/mcp`, `firstlight mcp`), each made of a few requests to the API."""
