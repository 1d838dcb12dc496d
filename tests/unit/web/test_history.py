"""Entries of the journal as changes that people read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from domain.erasure import scrubbed
from domain.journal import Facts, JournalEntry
from domain.model import Interaction
from schemas.events import OVERDUE, UPDATED
from tests.unit.web.viewers import a_viewer
from web.history import change_of

_MOMENT = datetime(2026, 11, 29, 12, tzinfo=UTC)
_ROW = Interaction(
    id="i",
    tenant_id="t",
    organization_id="o",
    entity_id="e",
    interaction_type="call",
    status="planned",
    status_as_of=_MOMENT,
    scheduled_as_of=_MOMENT,
    occurred_as_of=_MOMENT,
    created_at=_MOMENT,
    updated_at=_MOMENT,
    title="Old title",
    body="A secret",
)


def an_entry(facts: Facts, **given: Any) -> JournalEntry:
    fields: dict[str, Any] = {
        "tenant_id": "t",
        "organization_id": "o",
        "command_id": "c",
        "command_type": "customers.interaction.update",
        "entity_id": "e",
        "interaction_id": "i",
        "partition": 0,
        "offset": 0,
        "fingerprint": b"",
        "outcome": "applied",
        "entity_version": 2,
        "actor_id": "ada",
        "sync_origin": None,
        "correlation_id": None,
        "traceparent": None,
        "source_timestamp": _MOMENT,
        "appended_at": _MOMENT,
    }
    return JournalEntry(**{**fields, **given}, facts=facts)


def an_update(**changes: Any) -> Facts:
    after = replace(_ROW, version=2, **changes)
    return Facts(event=UPDATED, before=_ROW, after=after, version=2, undoable=True)


def test_a_change_names_each_field_before_and_after() -> None:
    facts = an_update(title="New title", priority=5, status_as_of=datetime(2027, 1, 1, tzinfo=UTC))
    change = change_of(an_entry(facts), a_viewer().principal, undo=False)
    assert change.kind == "interaction.update"
    assert {(it.name, it.before, it.after) for it in change.fields} == {
        ("title", "Old title", "New title"),
        ("priority", None, 5),
    }


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"scheduled_at": _MOMENT}, "moved"),
        ({"owner_user_id": "u"}, "assigned"),
        ({"scheduled_at": _MOMENT, "title": "x"}, "interaction.update"),
    ],
)
def test_an_update_of_one_field_has_a_name(changes: dict[str, Any], kind: str) -> None:
    assert change_of(an_entry(an_update(**changes)), a_viewer().principal, undo=False).kind == kind


@pytest.mark.parametrize(
    ("given", "actor"),
    [
        ({}, "own"),
        ({"actor_id": "bob"}, "user"),
        ({"actor_id": None, "sync_origin": "board"}, "integration"),
        ({"actor_id": None, "command_type": "customers.interaction.mark_due"}, "timer"),
        ({"actor_id": None}, "unnamed"),
    ],
)
def test_a_change_names_its_actor(given: dict[str, Any], actor: str) -> None:
    assert change_of(an_entry(an_update(title="x"), **given), a_viewer().principal, undo=False).actor == actor


def test_an_announcement_changes_no_field() -> None:
    facts = Facts(event=OVERDUE, reason="overdue", before=_ROW, after=replace(_ROW, due_phase=2), version=1)
    entry = an_entry(facts, command_type="customers.interaction.mark_due", actor_id=None)
    change = change_of(entry, a_viewer().principal, undo=False)
    assert (change.kind, change.fields) == ("overdue", ())


def test_a_scrubbed_change_has_no_content() -> None:
    entry = an_entry(an_update(title="New title"))
    change = change_of(replace(entry, facts=scrubbed(entry)), a_viewer().principal, undo=False)
    assert change.erased
    assert change.fields == ()
