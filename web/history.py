"""The history of an interaction as a page shows it: who, when, what, and each field before and after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.principal import Principal
from api.queries.interaction_history import NEWEST, interaction_history, undo_facts
from api.queries.scope import Connection, Row
from domain.journal import Facts, JournalEntry
from domain.model import Interaction
from domain.undo_image import undo_image, undo_token
from schemas.events import SNAPSHOT
from schemas.payloads import PREFIX

#: Entries of a page.
PAGE: Final = 10
#: Column → name of the field in ``data`` and in the texts. Versions and instants of the merge are left out.
FIELDS: Final = {
    column: name
    for name, column in SNAPSHOT.items()
    if column
    in (
        "status", "interaction_type", "title", "body", "feedback", "scheduled_at", "occurred_at", "priority",
        "owner_user_id", "author_user_id", "deal_id", "appearance_icon", "appearance_color", "source",
    )
}  # fmt: skip
_MARK_DUE: Final = "interaction.mark_due"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """:param name: of the field, as in the contract."""

    name: str
    before: str | int | datetime | None
    after: str | int | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry.

    :param kind: the command type without ``customers.``, or ``due``, ``overdue``, ``moved`` or ``assigned``.
    :param actor: ``own``, ``user``, ``integration``, ``timer`` or ``unnamed``; ``actor_id`` names the one.
    :param step: the next step that was planned, taken back or restored with it.
    :param erased: its content was removed with a customer.
    :param undo: token, if the change can be taken back now.
    """

    command_id: str
    kind: str
    at: datetime
    actor: str
    actor_id: str | None
    fields: tuple[FieldChange, ...] = ()
    step: Interaction | None = None
    erased: bool = False
    undo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One page.

    :param more: position after which the next page begins.
    :param complete: the list ends with the creation; False if an earlier part is not in the journal.
    """

    changes: tuple[Change, ...]
    more: int | None
    complete: bool
    first: bool


async def history_of(
    connection: Connection, principal: Principal, row: Row, before: int | None = None
) -> History:
    """Read one page of the history.

    :param row: the stored interaction, with its ``version`` and ``created_at``.
    """
    entries, more = await interaction_history(
        connection, principal.scope, row["id"], limit=PAGE, before=NEWEST if before is None else before
    )
    undoable = await _undoable(connection, principal, row, entries)
    return History(
        changes=tuple(change_of(entry, principal, undo=entry is undoable) for entry in entries),
        more=more,
        complete=more is not None or any(_creates(entry) for entry in entries[-1:]),
        first=before is None,
    )


def change_of(entry: JournalEntry, principal: Principal, *, undo: bool) -> Change:
    """Convert one entry."""
    facts = _facts(entry)
    fields = _changed(facts.before, facts.after) if facts.event is not None else ()
    return Change(
        command_id=entry.given_id,
        kind=_kind(entry, fields),
        at=entry.appended_at,
        actor=_actor(entry, principal),
        actor_id=entry.actor_id or entry.sync_origin,
        fields=fields,
        step=facts.step.row if facts.step is not None else None,
        erased=facts.scrubbed is not None,
        undo=undo_token(entry.given_id) if undo else None,
    )


def _facts(entry: JournalEntry) -> Facts:
    """The facts of an entry with a position, which entries from before the journal do not have."""
    assert isinstance(entry.facts, Facts)
    return entry.facts


def _kind(entry: JournalEntry, fields: tuple[FieldChange, ...]) -> str:
    kind = entry.command_type.removeprefix(PREFIX)
    if kind == _MARK_DUE:
        return _facts(entry).reason or kind
    if kind == "interaction.update" and len(fields) == 1:
        return {"scheduledAt": "moved", "ownerUserId": "assigned"}.get(fields[0].name, kind)
    return kind


def _actor(entry: JournalEntry, principal: Principal) -> str:
    if entry.actor_id is not None:
        return "own" if entry.actor_id == principal.subject else "user"
    if entry.sync_origin is not None:
        return "integration"
    return "timer" if entry.command_type == PREFIX + _MARK_DUE else "unnamed"


def _changed(before: Interaction | None, after: Interaction | None) -> tuple[FieldChange, ...]:
    pairs = (
        (name, getattr(before, column, None), getattr(after, column, None)) for column, name in FIELDS.items()
    )
    return tuple(FieldChange(name, old, new) for name, old, new in pairs if old != new)


def _creates(entry: JournalEntry) -> bool:
    facts = _facts(entry)
    return facts.event is not None and facts.before is None


async def _undoable(
    connection: Connection, principal: Principal, row: Row, entries: list[JournalEntry]
) -> JournalEntry | None:
    """The entry that undo would accept (``domain.undo``): the latest change, by its own user."""
    for entry in entries:
        facts, image = _facts(entry), undo_image(entry)
        if image is None or facts.event is None:
            continue
        if image.after_version != row["version"] or image.created_at != row["created_at"]:
            return None
        own = entry.actor_id == principal.subject and principal.has("audit_logs.undo_self")
        if not own and not principal.has("audit_logs.undo_tenant"):
            return None
        return entry if await _step_unchanged(connection, principal, entry) else None
    return None


async def _step_unchanged(connection: Connection, principal: Principal, entry: JournalEntry) -> bool:
    """Check that the next step is as the command left it, and that no row it made has signals."""
    facts = _facts(entry)
    step = facts.step
    made = [str(entry.interaction_id)] if facts.before is None and not facts.changes else []
    if step is not None and step.before is None:
        made.append(step.row.id)
    if step is None and not made:
        return True
    version, has_signals = await undo_facts(
        connection, principal.scope, step_id=step.row.id if step is not None else None, made=made
    )
    expected = step.version if step is not None and step.after is not None else None
    return version == expected and not has_signals
