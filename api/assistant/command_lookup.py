"""``get_command_outcome``: the result of an earlier change, from the journal and the rows."""

from __future__ import annotations

from typing import Any, Final

from api.assistant.gateway_client import Answer, GatewayClient
from api.assistant.outcome_mapping import ReadBack, result_of_journal, unknown
from api.assistant.results import WriteResult
from api.assistant.tools.catalog import WRITES
from api.assistant.tools.read_tools import OutcomeQuery
from api.assistant.tools.signal_tools import RESOLVE_SIGNAL
from api.assistant.tools.tool import PATHS, row_of_command
from api.assistant.write_call import read_row
from api.command_gateway import keyed_command_id
from api.problems import command_url

_COMPLETED: Final = (
    "If the call had next, repeat it with the same requestKey to learn about the next one too."
)


async def outcome_of_command(gateway: GatewayClient, query: OutcomeQuery) -> WriteResult:
    """Report the outcome of a command. Only the journal makes it known; it changes nothing."""
    command_id = query.command_id
    if command_id is None:
        assert query.tool is not None
        assert query.request_key is not None
        command_id = keyed_command_id(gateway.principal, WRITES[query.tool].route, query.request_key)
    answer = await gateway.request("GET", command_url(command_id))
    if answer.status != 200 or not isinstance(answer.body, dict):
        return unknown(answer, command_id)
    entry = answer.body
    if entry["commandType"] == "customers.signal.resolve" and entry["outcome"] != "rejected":
        return await _resolution(gateway, entry)
    named = row_of_command(entry)
    if named is None or entry["outcome"] == "rejected":
        return result_of_journal(entry, None, ReadBack())
    result = result_of_journal(entry, named[1], await read_row(gateway, None, *named))
    if entry["commandType"] == "customers.interaction.complete" and result.saved:
        return result.model_copy(update={"what_to_do": f"{result.what_to_do} {_COMPLETED}"})
    return result


async def _resolution(gateway: GatewayClient, entry: dict[str, Any]) -> WriteResult:
    """A resolution is saved once its draft is. Only a repeated call knows how it ended without one."""
    command_id, signal_id = entry["commandId"], entry["result"]["signalId"]
    answer = await gateway.request("GET", f"{PATHS['signalId']}/{signal_id}")
    signal = answer.body if answer.status == 200 and isinstance(answer.body, dict) else {}
    draft_id = signal.get("draftId")
    if signal.get("status") == "resolved" and draft_id is not None:
        draft = await read_row(gateway, RESOLVE_SIGNAL, PATHS["draftId"], draft_id)
        return result_of_journal(entry, draft_id, draft)
    status = signal.get("status", "unreadable")
    failure = f" ({signal['failure']}: {signal['failureDetail']})" if signal.get("failure") else ""
    detail = f"The resolution was accepted, and no draft is attached. The signal is {status}{failure}."
    return unknown(Answer(None), command_id).model_copy(
        update={"problem": {"code": "outcome_unknown", "detail": detail, "signalId": signal_id}}
    )
