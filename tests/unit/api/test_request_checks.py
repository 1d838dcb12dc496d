"""Bodies in which a member is repeated are rejected with a pointer; others are left to the route."""

from __future__ import annotations

import asyncio
import json

import pytest
from fastapi import Request

from api.request_checks import check_members
from schemas.errors import Reject


def check(body: bytes) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    asyncio.run(check_members(Request({"type": "http", "method": "POST", "headers": []}, receive)))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ('{"id": 1, "id": 2}', "/id"),
        ('{"id": "a", "id": "a"}', "/id"),
        ('{"next": {"title": "a", "title": "b"}}', "/next/title"),
        ('{"signals": [{"id": 1}, {"id": 1, "\\u0069d": 2}]}', "/signals/1/id"),
        ('{"a/b": 1, "a/b": 2}', "/a~1b"),
        ('{"\\ud800": 1, "\\ud800": 2}', "/?"),
    ],
)
def test_a_repeated_member_is_rejected(body: str, pointer: str) -> None:
    with pytest.raises(Reject) as refused:
        check(body.encode())
    (error,) = refused.value.errors
    assert (error.code, error.pointer) == ("repeated_member", pointer)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff", b"[]", b"5", b'"id"', b"null", b"NaN", b"[" * 20_000, b"9" * 5_000,
        b'{"id": 1, "Id": 2, "next": {"id": 1}}', json.dumps({"t": 'a "quoted" text'}).encode(),
    ],
)  # fmt: skip
def test_any_other_body_is_left_to_the_route(body: bytes) -> None:
    check(body)
