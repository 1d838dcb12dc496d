"""The person who looks at a page: identity, language, zone, and the days around now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from fastapi import Request

from api.principal import Principal
from web.day import Days, days_of
from web.filters import uuid_filter
from web.language import Language, preferred
from web.session import signed_in

#: Cookies of a browser's choices. They hold no secret, and scripts may read them.
ZONE_COOKIE: Final = "interactions-zone"
LANGUAGE_COOKIE: Final = "interactions-language"
#: Key of the ASGI scope with the number of the viewer's due and overdue tasks (``web.own_day``).
DUE_COUNT: Final = "interactions.due_count"
_ZONES: Final = frozenset(available_timezones())


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """
    :param csrf: token that every form of the viewer's pages carries.
    :param due: number of the viewer's due and overdue tasks; ``None`` if it is not known.
    """

    principal: Principal
    name: str
    csrf: str
    language: Language
    days: Days
    due: int | None = None

    @property
    def user_id(self) -> str | None:
        """The viewer as an owner of interactions; ``None`` if the subject is no UUID."""
        return owner_id(self.principal)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of all times on the page."""
        return self.days.zone


def owner_id(principal: Principal) -> str | None:
    """The id under which interactions can belong to a user; ``None`` if the subject is no UUID."""
    return uuid_filter(principal.subject)


def zone_of(request: Request) -> ZoneInfo:
    """The zone that the browser reported or the viewer chose; UTC before either."""
    name = unquote(request.cookies.get(ZONE_COOKIE, ""))
    return ZoneInfo(name if name in _ZONES else "UTC")


def language_of_request(request: Request) -> Language:
    """The language of the response."""
    return preferred(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))


def zones() -> list[str]:
    """Zones to choose from."""
    return sorted(
        name
        for name in _ZONES
        if "/" in name and not name.startswith(("Etc/", "SystemV/", "posix/", "right/"))
    )


def viewer_of(request: Request, principal: Principal) -> Viewer:
    """The viewer of a signed-in request.

    :raises NeedsAuth: the request has no session.
    """
    session = signed_in(request)
    return Viewer(
        principal=principal,
        name=session.display_name or principal.subject,
        csrf=session.csrf,
        language=language_of_request(request),
        days=days_of(datetime.now(UTC), zone_of(request)),
        due=request.scope.get(DUE_COUNT),
    )
