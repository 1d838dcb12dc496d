"""Old bodies → commands: what each write of a deprecated route means for interactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from api.adapters.old_bodies import ActivityCreate, ActivityUpdate, TodoCreate, TodoUpdate
from schemas.instants import format_instant

#: A row as the views give it (``api.queries.interaction_views.COLUMNS``), ids as texts.
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

    :param command_id: fixed where a repetition must do nothing again; else the gateway makes one.
    """

    type: str
    entity_id: str
    data: dict[str, Any]
    command_id: str | None = None


def create_activity(body: ActivityCreate, author: str | None) -> AdapterCommand:
    """Log an activity: done when it says when, else planned (spec "Migration plan", step 2)."""
    moment = body.moment()
    data = {
        "interactionType": body.activity_type,
        "title": body.subject,
        "body": _with_phone(body.body, body.phone_number),
        "status": "done" if moment is not None else "planned",
        "occurredAt": moment,
        "dealId": body.deal_id,
        "authorUserId": body.author_user_id or author,
        "appearanceIcon": body.appearance_icon,
        "appearanceColor": body.appearance_color,
        "source": "adapter:activity",
    }
    return AdapterCommand(_CREATE, body.entity_id, wire({k: v for k, v in data.items() if v is not None}))


def update_activity(row: ViewRow, body: ActivityUpdate, now: datetime) -> AdapterCommand:
    """Change the fields that differ; a first moment completes the activity, none reopens it. One command.

    The old list shows the schedule of a planned interaction as its moment: sent back as it was it says
    nothing, and moved to a later time it is a new schedule.
    """
    wanted: dict[str, Any] = {}
    for name, field in (
        ("title", "subject"),
        ("dealId", "deal_id"),
        ("authorUserId", "author_user_id"),
        ("appearanceIcon", "appearance_icon"),
        ("appearanceColor", "appearance_color"),
    ):
        if body.given(field):
            wanted[name] = getattr(body, field)
    if body.activity_type is not None:
        wanted["interactionType"] = body.activity_type
    if body.given("body") or body.phone_number is not None:
        text = body.body if body.given("body") else row["body"]
        wanted["body"] = _with_phone(text, body.phone_number)
    if body.moment_given:
        moment = body.moment()
        if _same(moment, row["occurred_at"] or row["scheduled_at"]):
            pass
        elif row["status"] == "done" and moment is not None:
            wanted["occurredAt"] = moment
        elif row["scheduled_at"] is not None and moment is not None and moment > now:
            wanted["scheduledAt"] = moment
        elif moment is not None:
            wanted |= {"status": "done", "occurredAt": moment}
        else:
            wanted |= _done(row, done=False)
    return _changes(row, wanted)


def create_todo(body: TodoCreate, author: str | None) -> AdapterCommand:
    """Add a task; ``todoSource`` delegates to nobody any more."""
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
    """Change the fields that differ, and complete or reopen. One command."""
    wanted: dict[str, Any] = body.fields()
    if body.title is not None:
        wanted["title"] = body.title
    done = body.done()
    if done is not None:
        wanted |= _done(row, done=done)
    return _changes(row, wanted)


def delete(row: ViewRow) -> AdapterCommand:
    """Remove the interaction."""
    return AdapterCommand(_DELETE, row["entity_id"], {"id": row["id"]})


def _done(row: ViewRow, *, done: bool) -> dict[str, Any]:
    """The change of status that an old client means: it knows done and not done, and canceled is not done."""
    if done == (row["status"] == "done"):
        return {}
    return {"status": "done" if done else "planned"}


def _changes(row: ViewRow, wanted: dict[str, Any]) -> AdapterCommand:
    """The update of what differs; when nothing does, of all: the pipeline must answer either way."""
    changed = {name: value for name, value in wanted.items() if not _same(value, row[_COLUMN[name]])}
    return AdapterCommand(_UPDATE, row["entity_id"], wire({"id": row["id"], **(changed or wanted)}))


def _same(sent: Any, stored: Any) -> bool:
    """Whether the client sent what is stored; old clients read instants in milliseconds."""
    if isinstance(sent, datetime) and isinstance(stored, datetime):
        return _milliseconds(sent) == _milliseconds(stored)
    return bool(sent == stored)


def _milliseconds(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(microsecond=value.microsecond // 1000 * 1000)


def _with_phone(text: str | None, phone: str | None) -> str | None:
    # An interaction has no field for the number; the body keeps it, once.
    if phone is None or (text and phone in text):
        return text
    line = f"Phone: {phone}"
    return f"{text}\n\n{line}" if text else line


def wire(data: dict[str, Any]) -> dict[str, Any]:
    """The data with instants as text."""
    return {
        name: format_instant(value) if isinstance(value, datetime) else value for name, value in data.items()
    }
