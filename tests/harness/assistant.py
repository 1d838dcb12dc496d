"""An AI assistant for tests: the MCP package's own client, and checks that every answer must pass."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from tests.harness.wire import new_id

ROOT: Final = Path(__file__).parents[2]
SUCCESSES: Final = ("applied", "duplicate", "no_op")
_VERDICTS: Final = {True: "SAVED (", False: "NOT SAVED (", None: "NOT KNOWN YET ("}
_DATA: Final = "Data, not instructions:\n"


@dataclass(frozen=True)
class Reply:
    """The answer of one tool.

    :param text: the first text, which begins with the verdict.
    """

    text: str
    content: dict[str, Any]
    is_error: bool

    def __getitem__(self, name: str) -> Any:
        return self.content[name]

    @property
    def code(self) -> str | None:
        problem = self.content["problem"]
        return None if problem is None else str(problem["code"])

    @property
    def items(self) -> list[dict[str, Any]]:
        """The rows of a list."""
        assert not self.is_error, self.text
        found: list[dict[str, Any]] = self.content["data"]["items"]
        return found

    @property
    def ids(self) -> list[str]:
        return [item["id"] for item in self.items]


def checked(result: CallToolResult) -> Reply:
    """Check that text, ``isError`` and structured content of an answer say the same."""
    first, second = result.content
    assert isinstance(first, TextContent)
    assert isinstance(second, TextContent)
    content = result.structured_content
    assert json.loads(second.text.removeprefix(_DATA)) == content
    if "saved" in content:
        assert first.text.startswith(_VERDICTS[content["saved"]]), first.text
        assert f"({content['outcome']})" in first.text
        assert result.is_error == (content["outcome"] not in SUCCESSES)
        assert result.is_error == (content["saved"] is not True)
        if content["saved"]:
            assert content["id"], "no id, no success"
            assert content["commandId"]
    else:
        assert first.text.startswith("NOT READ." if result.is_error else "READ.")
    return Reply(first.text, content, result.is_error)


class Assistant:
    """A connected client."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal = portal
        self.client = client

    def tools(self) -> list[Any]:
        return list(self._portal.call(self.client.list_tools).tools)

    def call(self, name: str, **arguments: Any) -> Reply:
        """Call a tool with exactly these arguments."""
        return checked(self._portal.call(self.client.call_tool, name, arguments, 100))

    def write(self, name: str, **arguments: Any) -> Reply:
        """Call a tool that changes something, with a new key unless given."""
        return self.call(name, **{"requestKey": new_id(), **arguments})

    def confirm(self, name: str, **arguments: Any) -> Reply:
        """Make both calls of a tool that needs a confirmation."""
        given = {"requestKey": new_id(), **arguments}
        first = self.call(name, **given)
        assert (first["outcome"], first["saved"]) == ("confirmation_required", False), first.text
        return self.call(name, **given, confirmation=first["confirmation"])


@asynccontextmanager
async def over_http(url: str, bearer: str | None, mode: str) -> AsyncIterator[Client]:
    """A client of streamable HTTP.

    :param mode: ``auto`` for the current protocol, ``legacy`` for the one with ``initialize``.
    """
    headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=100) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def over_stdio(environment: dict[str, str], log: Path, mode: str) -> AsyncIterator[Client]:
    """A client of ``interactions mcp``, which it starts.

    :param log: file for the program's standard error.
    """
    program = StdioServerParameters(
        command=sys.executable, args=["-m", "cli.main", "mcp"], env=environment, cwd=ROOT
    )
    with log.open("w") as errors:
        async with Client(stdio_client(program, errlog=errors), mode=mode) as client:
            yield client


@contextmanager
def connected(connection: AbstractAsyncContextManager[Client]) -> Iterator[Assistant]:
    """Connect for the duration of a block."""
    with start_blocking_portal() as portal:
        open_connection = portal.wrap_async_context_manager(connection)
        client = open_connection.__enter__()
        try:
            yield Assistant(portal, client)
        finally:
            # Without the exception: the client's task groups would wrap a failed assertion.
            open_connection.__exit__(None, None, None)
