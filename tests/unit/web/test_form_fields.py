"""Forms that no page of this site sends: one clear error, and nothing is executed."""

from __future__ import annotations

import asyncio

import pytest
from fastapi import Request

from schemas.errors import Reject
from tests.unit.web.viewers import a_form
from web.failure import failure_response
from web.form_fields import fields_of


def request(content_type: str, body: bytes) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", content_type.encode("latin-1"))]
    scope = {"type": "http", "method": "POST", "path": "/backend/x", "query_string": b"", "headers": headers}
    return Request({**scope, "app": None}, receive)


@pytest.mark.parametrize(
    ("charset", "value"),
    [
        ("utf-7", b"+2AA-"),
        ("unicode_escape", b"\\ud800"),
        ("undefined", b"a"),
        ("idna", b"xn--a"),
        ("punycode", b"---"),
        ("utf-8", b"a"),
    ],
)
def test_a_multipart_form_is_refused(charset: str, value: bytes) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n' + value + b"\r\n--x--\r\n"
    sent = request(f"Multipart/form-data; boundary=x; charset={charset}", body)
    with pytest.raises(Reject) as refused:
        asyncio.run(fields_of(sent))
    assert refused.value.status == 415
    assert asyncio.run(failure_response(sent, refused.value, 415)).status_code == 415


def test_a_form_with_too_many_fields_is_refused() -> None:
    sent = request("application/x-www-form-urlencoded", b"a=1&" * 30_000)
    with pytest.raises(Reject) as refused:
        asyncio.run(fields_of(sent))
    assert refused.value.code == "malformed_form"
    assert asyncio.run(failure_response(sent, refused.value, 400)).status_code == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", ""])
def test_another_body_has_no_fields(content_type: str) -> None:
    assert asyncio.run(fields_of(request(content_type, b"csrf=1"))) == []


def test_fields_keep_their_order() -> None:
    sent = request("application/x-www-form-urlencoded; charset=undefined", b"a=1&b=%ED%A0%80&a=%00")
    assert asyncio.run(fields_of(sent)) == [("a", "1"), ("b", "���"), ("a", "\x00")]


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59",
        "0999-01-01T00:00",
        "1899-12-31T00:00",
        "2200-01-02T00:00",
        "tomorrow",
    ],
)
def test_a_date_that_no_interaction_has_is_refused(text: str) -> None:
    with pytest.raises(Reject) as refused:
        a_form(when=text).instant("when")
    assert refused.value.errors[0].pointer == "/when"
