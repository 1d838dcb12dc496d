"""Sign-in links of the embedded stack: signed, valid for a minute, used once, accepted on loopback only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import jwt
from starlette.requests import Request

from runtime.gateway_settings import is_loopback
from schemas.errors import NeedsAuth, Reject

AUDIENCE: Final = "local-sign-in"
TICKET_SECONDS: Final = 60
#: A proxy adds one of them: the request may come from elsewhere, whatever its peer's address is.
_PROXY_HEADERS: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A valid ticket.

    :param id: names its single use.
    :param identity: claims about the person, as in a bearer token.
    """

    id: str
    identity: dict[str, Any]


def make_ticket(secret: bytes, identity: dict[str, Any]) -> str:
    """Sign a ticket.

    Its identity is one claim, so that no route of the API accepts it as a bearer token.
    """
    now = int(time.time())
    claims = {
        "aud": AUDIENCE,
        "jti": uuid4().hex,
        "iat": now,
        "exp": now + TICKET_SECONDS,
        "identity": identity,
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def read_ticket(secret: bytes, ticket: str) -> Ticket:
    """Verify a ticket.

    :raises NeedsAuth: it is forged, malformed or expired.
    """
    try:
        claims = jwt.decode(
            ticket,
            secret,
            algorithms=["HS256"],
            audience=AUDIENCE,
            options={"require": ["aud", "jti", "iat", "exp"]},
        )
        return Ticket(str(claims["jti"])[:100], dict(claims["identity"]))
    except (jwt.PyJWTError, KeyError, ValueError, TypeError, OverflowError, RecursionError):
        raise invalid_link() from None


def invalid_link() -> NeedsAuth:
    """The error for a link that is not valid any more."""
    return NeedsAuth(
        "This sign-in link was used before or is older than a minute. Run `interactions open` for a new one."
    )


def check_on_loopback(request: Request) -> None:
    """Check that the browser runs on this machine and addresses it as such.

    Hazard: a name of another site can resolve to 127.0.0.1 (DNS rebinding), so that the peer's address alone
    proves nothing.

    :raises Reject: the request may come from elsewhere (403).
    """
    peer = request.client.host if request.client is not None else ""
    proxied = any(name in request.headers for name in _PROXY_HEADERS)
    if proxied or not is_loopback(peer) or not is_loopback(_host_name(request.headers.get("host", ""))):
        raise Reject(
            "not_on_this_machine",
            "Local sign-in works on the machine of the stack only, at http://127.0.0.1.",
            status=403,
        )


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
