"""The MCP server: lists the tools and calls them."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final

import structlog
from mcp import MCPError, types
from mcp.server import Server, ServerRequestContext
from mcp.types import INVALID_PARAMS
from pydantic import ValidationError

from api.assistant.command_lookup import outcome_of_command
from api.assistant.gateway_client import Answer, GatewayClient
from api.assistant.outcome_mapping import refused, shown, unknown
from api.assistant.results import ReadResult, read_answer, write_answer
from api.assistant.tools.arguments import WriteArguments
from api.assistant.tools.catalog import INSTRUCTIONS, TOOLS
from api.assistant.tools.read_tools import OutcomeQuery
from api.assistant.tools.tool import ReadTool, Tool, WriteTool
from api.assistant.write_call import run_write
from api.problems import validation_failed
from schemas.errors import NeedsAuth, Reject, Stop
from schemas.validation import field_errors

_log = structlog.get_logger("gateway")
NAME: Final = "customer-interactions"
ClientOf = Callable[[ServerRequestContext], AbstractAsyncContextManager[GatewayClient]]


def make_server(client_of: ClientOf) -> Server:
    """A server whose tools send their requests through the client of each call's caller."""
    listed = [tool.described for tool in TOOLS.values()]
    schemas = {tool.name: tool.input_schema for tool in listed}

    async def list_tools(
        _context: ServerRequestContext, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed)

    async def call_tool(
        context: ServerRequestContext, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=f"There is no tool {params.name[:100]!r}.")
        async with AsyncExitStack() as stack:
            try:
                gateway = await stack.enter_async_context(client_of(context))
            except (NeedsAuth, Stop) as failure:
                problem = Reject("unauthorized", str(failure), status=401).problem()
                return _refusal(tool, Answer(401, problem))
            try:
                return await call(gateway, tool, params.arguments or {})
            except Exception as failure:  # noqa: BLE001 - a defect is an answer that the assistant sees
                return _defect(tool, failure)

    return Server(
        NAME,
        title="Customer interactions",
        instructions=INSTRUCTIONS,
        get_tool_input_schema=schemas.get,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def call(gateway: GatewayClient, tool: Tool, arguments: dict[str, Any]) -> types.CallToolResult:
    """Check the arguments and call one tool."""
    try:
        given = tool.arguments.model_validate(arguments)
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False, include_input=False))
        return _refusal(tool, Answer(400, validation_failed(errors).problem()))
    if isinstance(tool, WriteTool):
        assert isinstance(given, WriteArguments)
        return write_answer(await run_write(gateway, tool, given))
    if isinstance(given, OutcomeQuery):
        return write_answer(await outcome_of_command(gateway, given))
    return read_answer(await _read(gateway, tool, given))


async def _read(gateway: GatewayClient, tool: ReadTool, given: Any) -> ReadResult:
    assert tool.request is not None
    request = tool.request(given)
    answer = await gateway.request(request.method, request.path, params=request.params)
    if answer.status == 200 and isinstance(answer.body, dict):
        return ReadResult(data=answer.body)
    problem = answer.problem or {"code": "unavailable", "detail": "The gateway gave no answer. Retry."}
    return ReadResult(
        problem=shown(problem), what_to_do="Nothing was read. This does not mean that nothing exists."
    )


def _refusal(tool: Tool, answer: Answer) -> types.CallToolResult:
    if isinstance(tool, WriteTool):
        return write_answer(refused(answer, None))
    if tool.request is None:
        return write_answer(unknown(answer, None))
    return read_answer(ReadResult(problem=shown(answer.body)))


def _defect(tool: Tool, failure: Exception) -> types.CallToolResult:
    # Hazard: the message and the locals may contain customer text. Log the type and the line only.
    place = traceback.extract_tb(failure.__traceback__)[-1]
    _log.error(
        "assistant.tool_failed",
        tool=tool.name,
        error=type(failure).__name__,
        place=f"{place.filename}:{place.lineno}",
    )
    problem = {"code": "internal_error", "detail": "Internal error; it was logged."}
    if isinstance(tool, WriteTool) or tool.request is None:
        return write_answer(unknown(Answer(None), None).model_copy(update={"problem": problem}))
    return read_answer(ReadResult(problem=problem))
