"""``interactions mcp``: the tools for an AI assistant over standard input and output."""

from __future__ import annotations

import asyncio

import typer

from runtime.assistant_settings import read_assistant_settings
from runtime.logs import configure_logging
from runtime.settings import read_settings

_HELP = (
    "Serve the tools for an AI assistant (MCP) over standard input and output.\n\n"
    "An assistant starts this command itself; its configuration names the command and the variables. The "
    "tools act as the user of the token in INTERACTIONS_MCP_TOKEN or INTERACTIONS_MCP_TOKEN_FILE, through "
    "the gateway at INTERACTIONS_MCP_URL (default: the gateway of the running local stack). Without a token "
    "it does not start.\n\n"
    "The gateway itself serves the same tools over HTTP at /mcp."
)
_EXAMPLES = """
[bold]Examples[/bold]

  INTERACTIONS_MCP_TOKEN_FILE=token.txt interactions mcp
"""


def register(app: typer.Typer) -> None:
    """Add ``mcp``."""
    app.command("mcp", help=_HELP, epilog=_EXAMPLES)(mcp)


def mcp() -> None:
    """Serve until the input ends."""
    from api.assistant.stdio import serve_stdio

    settings = read_settings()
    configure_logging(settings)
    asyncio.run(serve_stdio(read_assistant_settings(), settings.home))
