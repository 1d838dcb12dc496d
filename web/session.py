"""The session of a signed-in person, as requests carry it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from api.principal import Principal
from schemas.errors import NeedsAuth

#: Key of the ASGI scope. Only the session middleware sets it.
SESSION: Final = "interactions.session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that has not ended.

    :param csrf: token that every form of the session's pages carries.
    :param expires_at: seconds since the epoch; the session ends then unless a request is made before.
    """

    principal: Principal
    display_name: str | None
    csrf: str
    expires_at: float


def session_of(request: HTTPConnection) -> Session | None:
    """The session of a request, if its cookie names one."""
    found = request.scope.get(SESSION)
    return found if isinstance(found, Session) else None


def signed_in(request: HTTPConnection) -> Session:
    """The session of a request to a page.

    :raises NeedsAuth: there is none, even if a token authorizes the request: pages are for people.
    """
    session = session_of(request)
    if session is None:
        raise NeedsAuth("Sign in to open this page.")
    return session
