"""Kinds of tools, and the HTTP requests that they send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mcp import types
from pydantic import BaseModel

from api.assistant.results import ReadResult, WriteResult
from api.assistant.tools.arguments import APART, WriteArguments, input_schema
from api.routes import drafts, interactions, signals

#: Member of a command's result that names its resource → the path of the resource.
PATHS: Final = {"interactionId": interactions.PATH, "signalId": signals.PATH, "draftId": drafts.PATH}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request to the gateway.

    :param params: query parameters.
    :param body: JSON object; ``None`` sends no body.
    """

    method: str
    path: str
    params: dict[str, Any] | None = None
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTool:
    """A tool that changes nothing.

    :param request: the request for validated arguments; ``None`` for a tool with code of its own.
    """

    name: str
    title: str
    description: str
    arguments: type[BaseModel]
    request: Callable[[Any], HttpRequest] | None
    result: type[BaseModel] = ReadResult

    @property
    def described(self) -> types.Tool:
        """The entry of the tool list."""
        return _described(self, self.result, read_only=True, destructive=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteTool:
    """A tool that sends one command.

    :param row: the member of a command's result that names the row, such as ``interactionId``.
    :param confirm: whether these arguments need a second, confirming call.
    :param destructive: for the annotations: the change removes something, or takes something back.
    """

    name: str
    title: str
    description: str
    arguments: type[WriteArguments]
    method: str
    path: str
    row: str
    destructive: bool = False
    confirm: Callable[[Any], bool] = lambda _arguments: False

    def request(self, arguments: WriteArguments) -> HttpRequest:
        """The request that executes the change."""
        data = arguments.data(*APART, "next")
        if self.method == "DELETE":
            return HttpRequest(method=self.method, path=self.path, params=data)
        return HttpRequest(method=self.method, path=self.path, body=data)

    @property
    def route(self) -> str:
        """Scope of the key of a request."""
        return f"{self.method} {self.path}"

    @property
    def described(self) -> types.Tool:
        """The entry of the tool list."""
        return _described(self, WriteResult, read_only=False, destructive=self.destructive)


Tool = ReadTool | WriteTool


def _described(tool: Tool, result: type[BaseModel], *, read_only: bool, destructive: bool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=input_schema(tool.arguments, defaults=read_only),
        output_schema=result.model_json_schema(mode="serialization"),
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=read_only,
            destructive_hint=destructive,
            # The same arguments of a change contain the same key, which is executed once.
            idempotent_hint=True,
            open_world_hint=False,
        ),
    )


def row_of_command(entry: dict[str, Any]) -> tuple[str, str] | None:
    """Path and id of the row that a command is about, from its entry; ``None`` if the entry names no row.

    For a command on a draft, that is the draft. For the undo of one, it is the signal, which shows what is
    left of the draft.
    """
    result = entry["result"]
    on_draft = str(entry["commandType"]).startswith("customers.draft.")
    for member in ("draftId",) * on_draft + ("signalId", "interactionId"):
        identity = result.get(member)
        if isinstance(identity, str):
            return PATHS[member], identity
    return None
