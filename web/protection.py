"""Protection of the pages: requests forged by other sites, and headers that confine a page."""

from __future__ import annotations

import hmac
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import Reject
from web.session import Session

_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none';"
    " base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: Paths of the pages, each with everything below it.
PAGES: Final = ("/backend", "/signin", "/signout", "/docs/api", "/docs/events")
_NOTHING_CHANGED: Final = "Nothing was changed."


def is_page(path: str) -> bool:
    """Report whether a path is that of a page."""
    return any(path == page or path.startswith(page + "/") for page in PAGES)


def check_same_origin(request: Request) -> None:
    """Refuse a request that another site made the browser send.

    The rule is that of Go's ``http.CrossOriginProtection``, except that a request with neither header is
    refused too: a browser sends at least one with every unsafe method.

    :raises Reject: it does not come from this site (403).
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        same = site in {"same-origin", "none"}
    else:
        origin, host = request.headers.get("origin"), request.headers.get("host")
        same = bool(origin and host) and _host_of(origin or "") == (host or "").lower()
    if not same:
        raise Reject(
            "cross_site",
            f"The request did not come from a page of this site. {_NOTHING_CHANGED}"
            " Open the page here and send its form.",
            status=403,
        )


def check_form_token(session: Session, value: str | None) -> None:
    """Check the hidden field ``csrf`` of a form in constant time.

    :raises Reject: it is not the token of this session (403).
    """
    given = (value or "").encode(errors="replace")
    if not hmac.compare_digest(session.csrf.encode(), given):
        raise Reject(
            "wrong_form_token",
            f"The form belongs to a session that has ended. {_NOTHING_CHANGED}"
            " Reload the page and send its form.",
            status=403,
        )


class PageHeaders:
    """ASGI middleware: add ``SECURITY_HEADERS`` to the pages; a header that the page itself sets is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not is_page(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def send_confined(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message.get("headers", ())))
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            await send(message)

        await self._app(scope, receive, send_confined)


def _host_of(origin: str) -> str:
    """Host and port of an origin; empty for ``null`` and malformed ones."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in {"http", "https"} else ""
