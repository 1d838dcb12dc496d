"""Cookies of the pages: the session, and the record of a sign-in that has begun.

The prefix ``__Host-`` makes browsers refuse a cookie without ``Secure`` and ``Path=/``, or with a domain: no
other host can set one (RFC 6265bis, section 4.1.3.2). Browsers treat a loopback address as secure.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

SESSION_COOKIE: Final = "__Host-interactions"
#: One per sign-in that has begun: several tabs can sign in at the same time.
RECORD_COOKIE: Final = "__Host-interactions-signin-"
RECORD_SECONDS: Final = 600
_FLAGS: Final[dict[str, Any]] = {"path": "/", "secure": True, "httponly": True, "samesite": "lax"}


def set_session_cookie(response: Response, value: str) -> None:
    """Set the cookie of a session. It has no age: the browser forgets it on exit."""
    response.set_cookie(SESSION_COOKIE, value, **_FLAGS)


def set_record_cookie(response: Response, record_id: str, value: str) -> None:
    """Set the record of a sign-in that has begun."""
    response.set_cookie(RECORD_COOKIE + record_id, value, max_age=RECORD_SECONDS, **_FLAGS)


def delete_cookie(response: Response, name: str) -> None:
    """Remove a cookie, with the flags that its prefix demands."""
    response.delete_cookie(name, **_FLAGS)
