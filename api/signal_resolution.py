"""Resolve a signal: send the command, wait for the draft, and answer from the committed rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response

from api.changes import command_of, execute_change
from api.command_gateway import CommandRequest
from api.principal import Principal
from api.problems import DraftPending, LegacyError
from api.queries.row_head import SIGNAL
from api.queries.scope import Row
from api.queries.signals import resolution_of
from api.services import Services
from api.signal_items import draft_item
from api.write_responses import write_response
from domain.undo_image import undo_token
from schemas.errors import Reject, Retry
from schemas.instants import format_instant
from schemas.signal_payloads import SIGNAL_ATTACH_DRAFT, answer_correlation

#: Longest read of the rows after the wait.
_READ_SECONDS = 2.0


async def resolve_signal(
    services: Services, request: Request, principal: Principal, signal_id: str, data: dict[str, Any]
) -> Response:
    """Resolve a signal: 200 with its draft once both are committed.

    The results only tell when to read. The rows decide the response, so that it never shows a draft that is
    not stored. A repeated request (same key) gets the end of the resolution that it began.

    :raises Reject: the command was rejected, or the resolution ended without a draft (409, with the code of
        the failure).
    :raises DraftPending: neither a draft nor a failure is stored in time, or the rows cannot be read (504).
    """
    command = await command_of(services, request, principal, "signal.resolve", signal_id, data, SIGNAL)
    row, result = await draft_of_resolution(
        services, command, signal_id, lambda: execute_change(services, request, command, signal_id, SIGNAL)
    )
    return _response(row, result)


async def draft_of_resolution(
    services: Services,
    command: CommandRequest,
    signal_id: str,
    execute: Callable[[], Awaitable[dict[str, Any]]],
) -> tuple[Row, dict[str, Any]]:
    """Execute a ``signal.resolve`` and wait for its draft.

    :param execute: executes the command.
    :return: the row of ``resolution_of`` with its draft, and the result of the command.
    :raises InteractionsError: as ``resolve_signal``.
    """
    scope = command.principal.scope
    correlation = answer_correlation(scope.tenant_id, scope.organization_id, command.id)
    # Watch first: the drafts role may answer before the result of `signal.resolve` arrives.
    with services.commands.answer(correlation) as answered:
        result = await execute()
        row = await _read(services, command, signal_id, result)
        if _is_pending(row) and result["outcome"] == "applied":
            await answered()
            row = await _read(services, command, signal_id, result)
    if _is_pending(row):
        raise DraftPending(command.id, signal_id)
    if row is None or row["id"] is None:
        raise _without_draft(row)
    return row, result


async def _read(
    services: Services, command: CommandRequest, signal_id: str, result: dict[str, Any]
) -> Row | None:
    scope = command.principal.scope
    try:
        async with services.reads.connection(_READ_SECONDS) as connection:
            return await resolution_of(connection, scope, signal_id, result["version"], result["draftId"])
    except Retry:
        # The command is committed: this is not a failure to send.
        raise DraftPending(command.id, signal_id) from None


def _is_pending(row: Row | None) -> bool:
    return (
        row is not None
        and row["id"] is None
        and row["outcome"] is None
        and row["signal_status"] == "resolving"
    )


def _without_draft(row: Row | None) -> Reject:
    """The problem of a resolution that is over and left no draft."""
    if row is None:
        return Reject("signal_not_found", "The signal was deleted; there is no draft.", status=404)
    if row["outcome"] == "failed":
        code = str(row["outcome_detail"])
        # The signal shows the text of its last failure only.
        text = row["failure_detail"] if row["failure"] == code else None
        detail = text or f"No draft was written ({code}). The signal is not resolved."
        return LegacyError(code, detail, error=detail, status=409, signalId=row["signal_id"])
    detail = f"This resolution was undone; there is no draft. The signal is {row['signal_status']}."
    return Reject("not_resolving", detail, status=409)


def _response(row: Row, result: dict[str, Any]) -> Response:
    committed = {"version": row["signal_version"]}
    if result["outcome"] == "applied" and row["outcome"] == "resolved":
        # Undo takes back the draft: the command that attached it is the one to undo.
        committed |= {
            "commandType": SIGNAL_ATTACH_DRAFT,
            "commandId": row["command_id"],
            "undoToken": undo_token(row["command_id"]),
            "signalId": row["signal_id"],
            "recordedAt": format_instant(row["ended_at"]),
        }
    return write_response(committed, {"ok": True, "draft": draft_item(row)})
