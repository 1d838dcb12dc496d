"""Translate writes of the deprecated routes to commands on interactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from api.adapters.old_bodies import ActivityCreate, ActivityUpdate, TodoCreate, TodoUpdate
from schemas.instants import format_instant

#: A row of the views (``api.queries.interaction_views.COLUMNS``), ids as text.
ViewRow = dict[str, Any]

_CREATE: Final = "customers.interaction.create"
_UPDATE: Final = "customers.interaction.update"
_DELETE: Final = "customers.interaction.delete"
_COLUMN: Final = {
    "interactionType": "interaction_type",
    "status": "status",
    "title": "title",
    "body": "body",
    "dealId": "deal_id",
    "authorUserId": "author_user_id",
    "appearanceIcon": "appearance_icon",
    "appearanceColor": "appearance_color",
    "occurredAt": "occurred_at",
    "scheduledAt": "scheduled_at",
    "priority": "priority",
}


@dataclass(frozen=True, slots=True)
class AdapterCommand:
    """One command to publish.

    :param command_id: fixed if a repetition must be a duplicate; otherwise the gateway creates one.
    """

    type: str
    entity_id: str
    data: dict[str, Any]
    command_id: str | None = None


def create_activity(body: ActivityCreate, author: str | None) -> AdapterCommand:
    """Log an activity: done if it has a time, otherwise planned (spec "Migration plan", step 2)."""
    occurred_at = body.occurred()
    data = {
        "interactionType": body.activity_type,
        "title": body.subject,
        "body": _with_phone(body.body, body.phone_number),
        "status": "done" if occurred_at is not None else "planned",
        "occurredAt": occurred_at,
        "dealId": body.deal_id,
        "authorUserId": body.author_user_id or author,
        "appearanceIcon": body.appearance_icon,
        "appearanceColor": body.appearance_color,
        "source": "adapter:activity",
    }
    return AdapterCommand(_CREATE, body.entity_id, wire({k: v for k, v in data.items() if v is not None}))


def update_activity(row: ViewRow, body: ActivityUpdate, now: datetime) -> AdapterCommand:
    """Change the fields that differ. A first time completes the activity, ``null`` reopens it. One command.

    The old list shows the schedule of a planned interaction as its time. Sent back unchanged, it changes
    nothing; a time in the future is a new schedule.
    """
    changes: dict[str, Any] = {}
    for name, field in (
        ("title", "subject"),
        ("dealId", "deal_id"),
        ("authorUserId", "author_user_id"),
        ("appearanceIcon", "appearance_icon"),
        ("appearanceColor", "appearance_color"),
    ):
        if body.given(field):
            changes[name] = getattr(body, field)
    if body.activity_type is not None:
        changes["interactionType"] = body.activity_type
    if body.given("body") or body.phone_number is not None:
        text = body.body if body.given("body") else row["body"]
        changes["body"] = _with_phone(text, body.phone_number)
    if body.occurred_given:
        occurred_at = body.occurred()
        if _same(occurred_at, row["occurred_at"] or row["scheduled_at"]):
            pass
        elif row["status"] == "done" and occurred_at is not None:
            changes["occurredAt"] = occurred_at
        elif row["scheduled_at"] is not None and occurred_at is not None and occurred_at > now:
            changes["scheduledAt"] = occurred_at
        elif occurred_at is not None:
            changes |= {"status": "done", "occurredAt": occurred_at}
        else:
            changes |= _done(row, done=False)
    return _changes(row, changes)


def create_todo(body: TodoCreate, author: str | None) -> AdapterCommand:
    """Add a task. ``todoSource`` no longer has an effect."""
    data = {
        "interactionType": "task",
        "title": body.title,
        "status": "done" if body.done() else "planned",
        "authorUserId": body.created_by_user_id or author,
        "source": "adapter:todo",
        **body.fields(),
    }
    return AdapterCommand(_CREATE, body.entity_id, wire({k: v for k, v in data.items() if v is not None}))


def update_todo(row: ViewRow, body: TodoUpdate) -> AdapterCommand:
    """Change the fields that differ, and complete or reopen the task. One command."""
    changes: dict[str, Any] = body.fields()
    if body.title is not None:
        changes["title"] = body.title
    done = body.done()
    if done is not None:
        changes |= _done(row, done=done)
    return _changes(row, changes)


def delete(row: ViewRow) -> AdapterCommand:
    """Delete the interaction."""
    return AdapterCommand(_DELETE, row["entity_id"], {"id": row["id"]})


def _done(row: ViewRow, *, done: bool) -> dict[str, Any]:
    """The status change. Old clients know done and not done only; canceled counts as not done."""
    if done == (row["status"] == "done"):
        return {}
    return {"status": "done" if done else "planned"}


def _changes(row: ViewRow, changes: dict[str, Any]) -> AdapterCommand:
    """An update of the fields that differ, or of all if none does: the client needs a result either way."""
    changed = {name: value for name, value in changes.items() if not _same(value, row[_COLUMN[name]])}
    return AdapterCommand(_UPDATE, row["entity_id"], wire({"id": row["id"], **(changed or changes)}))


def _same(sent: Any, stored: Any) -> bool:
    """Compare a sent value with the stored one; old clients read timestamps with milliseconds."""
    if isinstance(sent, datetime) and isinstance(stored, datetime):
        return _milliseconds(sent) == _milliseconds(stored)
    return bool(sent == stored)


def _milliseconds(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(microsecond=value.microsecond // 1000 * 1000)


def _with_phone(text: str | None, phone: str | None) -> str | None:
    # An interaction has no field for the phone number, so the body keeps it, once.
    if phone is None or (text and phone in text):
        return text
    line = f"Phone: {phone}"
    return f"{text}\n\n{line}" if text else line


def wire(data: dict[str, Any]) -> dict[str, Any]:
    """The data with timestamps as text."""
    return {
        name: format_instant(value) if isinstance(value, datetime) else value for name, value in data.items()
    }
