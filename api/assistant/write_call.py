"""One call of a tool that changes something: confirm, send, look up the outcome, read the row back."""

from __future__ import annotations

from typing import Any, Final

from api.assistant.confirmation import Seen, digest, look
from api.assistant.gateway_client import Answer, GatewayClient, Lookup
from api.assistant.outcome_mapping import (
    ReadBack,
    fate_of,
    refused,
    result_of_write,
    shown,
    unknown,
    with_next,
)
from api.assistant.results import WriteResult
from api.assistant.tools.arguments import WriteArguments, key_of_next
from api.assistant.tools.interaction_tools import PLAN_INTERACTION, UNDO, CompleteArguments, NextInteraction
from api.assistant.tools.signal_tools import RESOLVE_SIGNAL
from api.assistant.tools.tool import PATHS, HttpRequest, WriteTool, row_of_command
from api.command_gateway import keyed_command_id
from schemas.errors import Reject

#: Refusals that the caller's own command can cause, if it is executed between two reads of the gateway.
_MAY_BE_OWN: Final = frozenset({
    "precondition_failed", "interaction_not_found", "signal_not_found", "draft_not_found"
})  # fmt: skip
_CREATE: Final = "customers.create"
_CONFIRM: Final = (
    "Nothing was changed. Show the preview to the user. If the user agrees, repeat the call with the same"
    " arguments and this confirmation."
)
_CHANGED: Final = "The row or the arguments differ from those that were confirmed. Look at the new preview."


async def run_write(gateway: GatewayClient, tool: WriteTool, arguments: WriteArguments) -> WriteResult:
    """Execute one call. It never claims a change that is not committed."""
    following = arguments.next if isinstance(arguments, CompleteArguments) else None
    command_id = keyed_command_id(gateway.principal, tool.route, arguments.request_key)
    if following is not None and not gateway.principal.has(_CREATE):
        return _may_not_plan(command_id)
    before = await gateway.command(command_id)
    version = getattr(arguments, "expected_version", None)
    # A key that was executed needs no confirmation: it gets its first result.
    if before.entry is None and tool.confirm(arguments):
        seen = await _confirmed(gateway, tool, arguments, command_id, before)
        if isinstance(seen, WriteResult):
            return seen
        if seen is not None and version is None:
            version = seen.version
    command = _Command(gateway, tool, command_id, arguments.request_key, version)
    result = await command.execute(tool.request(arguments), arguments, repeated=before.entry is not None)
    if following is None or not result.saved:
        return result
    return with_next(
        result, await _plan(gateway, arguments.request_key, following, command.entity_id(result))
    )


class _Command:
    """One command, sent at most twice with the same key.

    :ivar journal: its entry after the change.
    """

    def __init__(
        self, gateway: GatewayClient, tool: WriteTool, command_id: str, key: str, version: int | None
    ) -> None:
        self._gateway = gateway
        self._tool = tool
        self._id = command_id
        self._headers = {"Idempotency-Key": key}
        if version is not None:
            self._headers["If-Match"] = f'"{version}"'
        self.journal = Lookup(None, certain=False)

    async def execute(
        self, request: HttpRequest, arguments: WriteArguments | None, *, repeated: bool
    ) -> WriteResult:
        """Send the request and build the result from the answer, the journal and the row."""
        answer = await self._send(request)
        self.journal = await self._gateway.command(self._id)
        if self._is_executed_nevertheless(answer):
            # The gateway compares the content and gives the first result.
            answer = await self._send(request)
        elif not self.journal.certain and _may_be_own(answer):
            return unknown(Answer(None), self._id)
        path, row_id = self._row(answer, arguments)
        read_back = None
        if row_id is not None and fate_of(answer) == "committed":
            read_back = await read_row(self._gateway, self._tool, path, row_id)
        return result_of_write(
            answer,
            command_id=self._id,
            row_id=row_id,
            repeated=repeated,
            journal=self.journal.entry,
            read_back=read_back,
        )

    def entity_id(self, result: WriteResult) -> str | None:
        """The customer, from the journal or from the row."""
        entry, row = self.journal.entry or {}, result.row or {}
        found = entry.get("result", {}).get("entityId") or row.get("entityId")
        return str(found) if found is not None else None

    async def _send(self, request: HttpRequest) -> Answer:
        return await self._gateway.request(
            request.method, request.path, params=request.params, body=request.body, headers=self._headers
        )

    def _is_executed_nevertheless(self, answer: Answer) -> bool:
        if self.journal.entry is None or self.journal.entry["outcome"] == "rejected":
            return False
        if fate_of(answer) == "unknown":
            # A resolution ends with its draft, not with its command, and the gateway has waited for that.
            return self._tool is not RESOLVE_SIGNAL or answer.status is None
        return _may_be_own(answer)

    def _row(self, answer: Answer, arguments: WriteArguments | None) -> tuple[str, str | None]:
        """Path and id of the row: from the answer, the journal or the arguments."""
        path, body = PATHS[self._tool.row], answer.body if isinstance(answer.body, dict) else {}
        if self._tool is UNDO:
            entry = self.journal.entry
            return (row_of_command(entry) if entry is not None else None) or (path, None)
        if self._tool is RESOLVE_SIGNAL:
            draft = body.get("draft")
            return path, _text(draft.get("id") if isinstance(draft, dict) else None)
        if self._tool is PLAN_INTERACTION:
            return path, _text(body.get("id"))
        return path, _text(getattr(arguments, "id", None))


def _may_be_own(answer: Answer) -> bool:
    return fate_of(answer) == "refused" and answer.body["code"] in _MAY_BE_OWN


def _text(given: Any) -> str | None:
    return given if isinstance(given, str) else None


async def read_row(gateway: GatewayClient, tool: WriteTool | None, path: str, row_id: str) -> ReadBack:
    """The row of a committed change, as it is now."""
    answer = await gateway.request("GET", f"{path}/{row_id}")
    if answer.status == 404:
        return ReadBack(note="There is no such row any more.")
    if answer.status != 200 or not isinstance(answer.body, dict):
        return ReadBack(
            note="The change is committed, but the row could not be read back. Read it before use."
        )
    row = answer.body
    if tool is RESOLVE_SIGNAL and row["status"] != "draft":
        return ReadBack(row, f"The signal was resolved before, and its draft is {row['status']}.")
    return ReadBack(row)


async def _confirmed(
    gateway: GatewayClient, tool: WriteTool, arguments: WriteArguments, command_id: str, before: Lookup
) -> Seen | WriteResult | None:
    """The rows that were confirmed, or the answer to the first call; ``None`` if the key was executed."""
    given = getattr(arguments, "confirmation", None)
    seen = await look(gateway, tool, arguments)
    confirmation = None
    if isinstance(seen, Seen):
        confirmation = digest(tool.name, arguments.data("confirmation"), seen.versions)
        if given == confirmation:
            return seen
    if given is not None or not before.certain:
        # An earlier call with this key may have been executed, and have changed the row.
        now = await gateway.command(command_id)
        if now.entry is not None:
            return None
        if not now.certain:
            return unknown(Answer(None), command_id)
    if isinstance(seen, Answer):
        return refused(seen, command_id) if fate_of(seen) == "refused" else unknown(seen, command_id)
    return WriteResult(
        outcome="confirmation_required",
        saved=False,
        command_id=command_id,
        version=seen.version,
        preview={"now": seen.rows, "change": arguments.data("request_key", "confirmation")},
        confirmation=confirmation,
        problem={"code": "confirmation_outdated", "detail": _CHANGED} if given is not None else None,
        what_to_do=_CONFIRM,
    )


async def _plan(
    gateway: GatewayClient, request_key: str, following: NextInteraction, entity_id: str | None
) -> WriteResult:
    """Plan the interaction that follows a completed one, with a key derived from that of the completion."""
    key = key_of_next(request_key)
    command_id = keyed_command_id(gateway.principal, PLAN_INTERACTION.route, key)
    if entity_id is None:
        return unknown(Answer(None), command_id)
    repeated = (await gateway.command(command_id)).entry is not None
    body = {"entityId": entity_id, **following.data()}
    request = HttpRequest(method=PLAN_INTERACTION.method, path=PLAN_INTERACTION.path, body=body)
    command = _Command(gateway, PLAN_INTERACTION, command_id, key, None)
    return await command.execute(request, None, repeated=repeated)


def _may_not_plan(command_id: str) -> WriteResult:
    """Refusal before anything is sent: the interaction stays as it is."""
    detail = f"Planning the next interaction requires the feature {_CREATE}. Nothing was completed."
    problem = Reject("missing_feature", detail, status=403).problem()
    return refused(Answer(403, shown(problem)), command_id)
