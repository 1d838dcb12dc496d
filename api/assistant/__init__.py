"""Tools for AI assistants (MCP): an adapter over the gateway's own HTTP routes.

A tool sends the requests that any HTTP client sends, so guards, scope, limits and idempotency are the routes'
own. In the gateway the requests stay in the process; ``interactions mcp`` sends them to a running gateway.
"""
