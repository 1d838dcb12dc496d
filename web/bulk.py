"""One action on many tasks: a command per task, and the result of each as the journal has it."""

from __future__ import annotations

import asyncio
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal
from uuid import UUID

from api.command_gateway import Rejection, keyed_command_id, superseded_fields
from api.principal import Principal
from api.problems import UnknownOutcome
from api.queries.command_status import CommandStatus, command_statuses
from api.queries.interaction_list import interactions_by_id
from api.queries.scope import Connection, Row
from schemas.errors import InteractionsError, Reject, Retry
from web.submission import Submission, page_route
from web.viewer import Viewer

#: Action → command type without ``customers.``.
ACTIONS: Final = {
    "complete": "interaction.complete",
    "snooze": "interaction.update",
    "cancel": "interaction.cancel",
    "reassign": "interaction.update",
    "undo": "interaction.undo",
}
#: Most tasks of one request; a page shows fewer.
MOST: Final = 100
#: Commands of one request that are in flight at a time.
_AT_ONCE: Final = 16
#: Results that are all known are shown for this time.
_SHOWN: Final = timedelta(minutes=10)
_BYTES: Final = 16
_TOKEN: Final = re.compile(
    r"(complete|snooze|cancel|reassign|undo)\.([A-Za-z0-9_-]{43,2200})((?:\.[0-9]{1,2}~[a-z_]{1,60})*)"
)
State = Literal["applied", "unchanged", "refused", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkCommand:
    """A command of a bulk action.

    :param expected_version: optimistic lock.
    """

    interaction_id: str
    entity_id: str
    data: dict[str, Any]
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """A bulk action, as the address of the page names it.

    :param key: of the form; with the viewer and the id of a task it determines the command id.
    :param unsent: id → error code of the tasks for which no command was sent.
    """

    action: str
    key: str
    interaction_ids: tuple[str, ...]
    unsent: Mapping[str, str]

    @property
    def text(self) -> str:
        """The value of the parameter."""
        packed = b"".join(UUID(it).bytes for it in (self.key, *self.interaction_ids))
        places = [f".{self.interaction_ids.index(it)}~{code}" for it, code in self.unsent.items()]
        return f"{self.action}.{urlsafe_b64encode(packed).decode().rstrip('=')}{''.join(places)}"

    def command_id(self, principal: Principal, interaction_id: str) -> str:
        """Id of the viewer's command on one task."""
        route = page_route(ACTIONS[self.action])
        return keyed_command_id(principal, route, f"{self.key}:{interaction_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """Result of one task.

    :param row: the task as it is stored now; ``None`` if it is gone.
    :param code: of the refusal; ``detail`` is its text.
    :param undo_token: of an applied command.
    """

    interaction_id: str
    command_id: str
    row: Row | None
    state: State
    code: str | None = None
    detail: str | None = None
    entity_id: str | None = None
    undo_token: str | None = None


@dataclass(frozen=True, slots=True)
class BulkResults:
    """The results of a bulk action."""

    bulk: Bulk
    results: tuple[BulkResult, ...]

    @property
    def counts(self) -> Counter[State]:
        """Number of tasks by state."""
        return Counter(it.state for it in self.results)

    @property
    def undoable(self) -> tuple[BulkResult, ...]:
        """Applied commands that can be taken back."""
        return tuple(it for it in self.results if it.undo_token is not None)

    def of(self, *states: State) -> tuple[BulkResult, ...]:
        """The results in some states."""
        return tuple(it for it in self.results if it.state in states)


def bulk_of(text: str | None) -> Bulk | None:
    """Read the parameter; ``None`` if it is malformed."""
    found = _TOKEN.fullmatch(text or "")
    if found is None:
        return None
    action, packed, places = found.groups()
    try:
        raw = urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    except Error:
        return None
    ids = [str(UUID(bytes=raw[at : at + _BYTES])) for at in range(0, len(raw) - _BYTES + 1, _BYTES)]
    key, *interactions = dict.fromkeys(ids)
    if not interactions:
        return None
    unsent = {}
    for place in places.split(".")[1:]:
        at, _, code = place.partition("~")
        if int(at) < len(interactions):
            unsent[interactions[int(at)]] = code
    return Bulk(action=action, key=key, interaction_ids=tuple(interactions), unsent=unsent)


async def execute_all(
    form: Submission, action: str, commands: Sequence[BulkCommand], unsent: Mapping[str, str]
) -> Bulk:
    """Execute the commands side by side, and return the name of their results.

    :param unsent: id → error code of the tasks that need no command to be refused.
    :raises InteractionsError: nothing was sent, for one reason.
    """
    room = asyncio.Semaphore(_AT_ONCE)
    # The address of the results names the key, so it must be an id: checked before anything is sent.
    key = form.identity("key") if form.text("key") else form.key

    async def execute(command: BulkCommand) -> InteractionsError | None:
        async with room:
            try:
                await form.execute(
                    ACTIONS[action],
                    command.entity_id,
                    command.data,
                    expected_version=command.expected_version,
                    key=f"{key}:{command.interaction_id}",
                    resource_id=command.interaction_id,
                )
            except (Rejection, UnknownOutcome):
                return None  # the journal has the result, or will have it
            except (Reject, Retry) as error:
                # One that is being executed by the same form has its result in the journal, too.
                return None if getattr(error, "code", None) in ("in_flight", "superseded") else error
        return None

    errors = await asyncio.gather(*map(execute, commands))
    refused = {
        command.interaction_id: error
        for command, error in zip(commands, errors, strict=True)
        if error is not None
    }
    if refused and len(refused) == len(commands) and not unsent:
        first = next(iter(refused.values()))
        if all(str(error) == str(first) for error in refused.values()):
            raise first
    codes = {it: _code_of(error) for it, error in refused.items()}
    return Bulk(
        action=action,
        key=key,
        interaction_ids=tuple(dict.fromkeys([*(it.interaction_id for it in commands), *unsent])),
        unsent={**unsent, **codes},
    )


def _code_of(error: InteractionsError) -> str:
    code = error.code if isinstance(error, Reject) else "not_sent"
    return code if re.fullmatch("[a-z_]{1,60}", code) else "not_sent"


async def results_of(bulk: Bulk | None, viewer: Viewer, connection: Connection) -> BulkResults | None:
    """The results of a bulk action of the viewer.

    :returns: ``None`` also if all of them are known and old.
    """
    if bulk is None:
        return None
    principal = viewer.principal
    ids = {it: bulk.command_id(principal, it) for it in bulk.interaction_ids}
    statuses = await command_statuses(connection, principal.scope, list(ids.values()))
    rows = await interactions_by_id(connection, principal.scope, list(ids))
    results = tuple(
        _result(it, command_id, rows.get(it), statuses.get(command_id), bulk.unsent.get(it))
        for it, command_id in ids.items()
    )
    newest = max((it.appended_at for it in statuses.values()), default=viewer.days.now)
    if viewer.days.now - newest > _SHOWN and all(it.state != "unknown" for it in results):
        return None
    return BulkResults(bulk, results)


def _result(
    interaction_id: str, command_id: str, row: Row | None, status: CommandStatus | None, unsent: str | None
) -> BulkResult:
    state, code, detail = _state_of(status, unsent)
    return BulkResult(
        interaction_id=interaction_id,
        command_id=command_id,
        row=row,
        state=state,
        code=code,
        detail=detail,
        entity_id=status.entity_id if status is not None else None,
        undo_token=status.result.get("undoToken") if status is not None and state == "applied" else None,
    )


def _state_of(status: CommandStatus | None, unsent: str | None) -> tuple[State, str | None, str | None]:
    if status is None:
        return ("unknown", None, None) if unsent is None else ("refused", unsent, None)
    if status.outcome == "rejected":
        problem = status.result.get("problem") or {}
        return "refused", problem.get("code"), problem.get("detail")
    if status.outcome == "no_op":
        return (
            ("refused", "superseded", None) if superseded_fields(status.result) else ("unchanged", None, None)
        )
    return "applied", None, None
