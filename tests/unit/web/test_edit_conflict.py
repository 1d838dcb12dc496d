"""Fields of an edit that are in conflict with the stored row."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import Request

from tests.unit.web.viewers import a_form, a_viewer
from web.dictionary import Types
from web.edit_conflict import EditConflict, FieldConflict, conflict_of
from web.failure import failure_response

_TYPES = Types(({"code": "call", "label": "Phone call", "icon": None, "actionable": True},))
_STORED: dict[str, Any] = {
    "version": 7,
    "title": "Theirs",
    "body": "line\r\nline",
    "priority": None,
    "scheduled_at": datetime(2026, 11, 30, 9, 0, 12, tzinfo=UTC),
    "interaction_type": "call",
}


def conflict(names: list[str], **fields: str) -> EditConflict:
    form = a_form(
        **{name.replace("was_", "was-").replace("choose_", "choose-"): it for name, it in fields.items()}
    )
    return conflict_of(a_viewer(), _TYPES, _STORED, names, form.text)


def test_a_field_that_both_changed_needs_a_decision() -> None:
    found = conflict(["title"], title="Mine", was_title="Old", choose_title="mine")
    assert found.version == 7
    assert found.fields == (FieldConflict("title", "Mine", "Theirs", "mine"),)
    assert found.others == ()


def test_a_field_that_only_the_other_changed_is_named() -> None:
    found = conflict(["title"], title="Old", was_title="Old")
    assert (found.fields, found.others) == ((), (FieldConflict("title", "Old", "Theirs"),))


def test_equal_and_unchanged_values_are_no_conflict() -> None:
    found = conflict(
        ["title", "body", "scheduledAt"],
        title="Theirs",
        was_title="Old",
        body="Mine",
        was_body="line\nline",
        # The form shows minutes: the stored seconds are no change.
        scheduledAt="2026-12-01T10:00",
        was_scheduledAt="2026-11-30T10:00",
    )
    assert (found.fields, found.others) == ((), ())


def test_values_are_shown_in_words() -> None:
    found = conflict(
        ["scheduledAt", "interactionType"], was_scheduledAt="2026-11-01T10:00", interactionType="x"
    )
    assert [(it.mine, it.theirs) for it in found.fields + found.others] == [
        (None, "Mon 30 Nov 2026, 10:00"),
        ("x", "Phone call"),
    ]


def answer(error: EditConflict, *, script: bool) -> str:
    body = urlencode({"title": "Mine", "was-title": "Old", "seen": "5", "choose-title": "mine"}).encode()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    headers += [(b"hx-request", b"true"), (b"hx-source", b"form#edit-1")] if script else []
    scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b"", "headers": headers}
    response = asyncio.run(failure_response(Request(scope, receive), error, error.status))
    return bytes(response.body).decode()


def test_the_answer_asks_once_about_the_version_that_it_shows() -> None:
    error = conflict(["title"], title="<b>Mine</b>", was_title="Old")
    for script in (True, False):
        text = answer(error, script=script)
        assert text.count('name="seen"') == 1
        assert 'name="seen" value="7"' in text
        assert text.count('name="choose-title"') == 2
        assert "&lt;b&gt;Mine&lt;/b&gt;" in text
        assert ("data-discard" in text) is script
