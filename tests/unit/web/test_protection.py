"""Requests that other sites make a browser send, and the headers of pages."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from api.principal import Principal
from schemas.errors import Reject
from web.protection import SECURITY_HEADERS, PageHeaders, check_form_token, check_same_origin, is_page
from web.session import Session


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {"type": "http", "method": "POST", "path": "/backend/x", "query_string": b"", "headers": raw}
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "https://crm.example", "host": "crm.example"},
        {"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"},
        {"origin": "https://CRM.example", "host": "crm.example"},
    ],
)
def test_requests_of_this_site(headers: dict[str, str]) -> None:
    check_same_origin(request(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "crm.example"},
        {"origin": "https://crm.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": ""},
        {"sec_fetch_site": "cross-site", "origin": "https://crm.example", "host": "crm.example"},
        {"origin": "null", "host": "crm.example"},
        {"origin": "", "host": ""},
        {"origin": "https://evil.example", "host": "crm.example"},
        {"origin": "https://crm.example:444", "host": "crm.example"},
        {"origin": "http://127.0.0.1:9090", "host": "127.0.0.1:8080"},
        {"origin": "https://[crm", "host": "[crm"},
        {"origin": "ftp://crm.example", "host": "crm.example"},
    ],
)
def test_requests_of_other_sites(headers: dict[str, str]) -> None:
    with pytest.raises(Reject) as refused:
        check_same_origin(request(**headers))
    assert refused.value.status == 403


SESSION = Session(
    principal=Principal(tenant_id="t", organization_id="o", subject="s", features=frozenset()),
    display_name=None,
    csrf="the token",
    expires_at=math.inf,
)


@pytest.mark.parametrize("given", [None, "", "the toke", "the token ", "THE TOKEN", "ü", "\ud800"])
def test_only_the_sessions_token_is_accepted(given: str | None) -> None:
    with pytest.raises(Reject) as refused:
        check_form_token(SESSION, given)
    assert refused.value.status == 403
    check_form_token(SESSION, "the token")


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/backend", True),
        ("/backend/customers/people", True),
        ("/signin/local", True),
        ("/signout", True),
        ("/docs/api", True),
        ("/docs/events", True),
        ("/backends", False),
        ("/docs/migration", False),
        ("/api/customers/interactions", False),
        ("/Backend", False),
        ("//backend", False),
    ],
)
def test_paths_of_pages(path: str, page: bool) -> None:
    assert is_page(path) is page


def headers_of(path: str, own: list[tuple[bytes, bytes]]) -> dict[str, str]:
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": own})

    async def receive() -> Message:
        raise AssertionError

    async def keep(message: Message) -> None:
        sent.append(message)

    asyncio.run(PageHeaders(app)({"type": "http", "path": path}, receive, keep))
    found: list[tuple[bytes, bytes]] = sent[0]["headers"]
    return {name.decode().lower(): value.decode() for name, value in found}


def test_pages_carry_the_headers() -> None:
    assert headers_of("/backend/x", []) == {name.lower(): value for name, value in SECURITY_HEADERS.items()}
    kept: Any = headers_of("/backend/x", [(b"cache-control", b"private")])
    assert kept["cache-control"] == "private"
    assert headers_of("/api/x", []) == {}


def test_the_policy_allows_nothing_inline() -> None:
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= set(policy.split("; "))
