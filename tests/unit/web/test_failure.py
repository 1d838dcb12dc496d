"""A failed form comes back with its input, except for secrets, and claims nothing."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

from fastapi import Request

from api.problems import DecisionPending
from schemas.errors import FieldError, InteractionsError, Reject
from web.failure import failure_response

_SENT = [
    ("settings.url", "https://x"),
    ("secrets.token", "a secret token"),
    ("interactionId", "first"),
    ("interactionId", "second"),
    ("do", "chosen"),
    ("key", "the key"),
]


def failed(error: InteractionsError, *, script: bool = False) -> str:
    """The response to a form as text."""
    body = urlencode(_SENT).encode()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": "/backend/x", "query_string": b"", "headers": headers}
    if script:
        headers.append((b"hx-request", b"true"))
    response = asyncio.run(failure_response(Request(scope, receive), error, 400))
    return bytes(response.body).decode()


def test_secrets_are_not_sent_back() -> None:
    for script in (True, False):
        assert "a secret token" not in failed(Reject("invalid", "No."), script=script)
    page = failed(Reject("invalid", "No."))
    assert 'type="password" name="secrets.token"' in page
    assert 'name="settings.url" value="https://x"' in page


def test_every_ticked_row_is_sent_once_more() -> None:
    page = failed(Reject("invalid", "No."))
    assert page.count('type="hidden" autocomplete="off" name="interactionId"') == 2
    assert 'name="do" value="chosen"' in page


def test_a_pending_decision_is_neither_saved_nor_refused_and_keeps_its_key() -> None:
    for script in (True, False):
        page = failed(DecisionPending(), script=script)
        assert "Not known yet whether it is saved." in page
        assert "Not saved" not in page
        assert 'class="message unknown"' in page
    assert 'name="key" value="the key"' in failed(DecisionPending())
    assert 'name="key"' not in failed(DecisionPending(), script=True)
    assert 'name="key" value="the key"' not in failed(Reject("invalid", "No."))


def test_a_field_is_named_without_its_part() -> None:
    errors = (FieldError("invalid", "too long", "/settings/board_id"),)
    assert "board_id: too long" in failed(Reject("invalid_settings", "No.", errors=errors), script=True)
