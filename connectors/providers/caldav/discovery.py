"""Discovery of a calendar from a URL (RFC 6764 section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from connectors.providers.caldav import webdav as dav
from connectors.providers.caldav.client import CaldavClient, multistatus
from connectors.providers.caldav.settings import CaldavSettings
from connectors.providers.caldav.webdav import CALDAV, DAV, DavResource
from connectors.sdk.same_origin import origin_text
from schemas.errors import NeedsAuth

_CALENDAR_PROPERTIES: Final = ("d:resourcetype", "d:displayname", "c:supported-calendar-component-set")


def discover_calendar(client: CaldavClient, settings: CaldavSettings) -> str:
    """The path of the calendar, with a trailing slash: the URL itself, or found by principal and home set.

    :raises NeedsAuth: there is no such calendar; the message says what to set.
    """
    names = [*_CALENDAR_PROPERTIES, "d:current-user-principal"]
    for path in (urlsplit(settings.url).path or "/", "/.well-known/caldav"):
        answer = client.xml("PROPFIND", path, dav.propfind(names), depth="0")
        if answer.status_code == 207 and (found := multistatus(answer).resources):
            if found[0].has(f"{DAV}resourcetype", f"{CALDAV}calendar"):
                return found[0].path.rstrip("/") + "/"
            principal = found[0].href(f"{DAV}current-user-principal")
            if principal:
                return _choose(client, _home_set(client, principal), settings.calendar)
    raise NeedsAuth("there is no CalDAV server at this URL; check `url`")


def _home_set(client: CaldavClient, principal: str) -> str:
    body = dav.propfind(["c:calendar-home-set"])
    resources = client.multistatus("PROPFIND", principal, body, depth="0").resources
    reference = resources[0].reference(f"{CALDAV}calendar-home-set") if resources else None
    if reference is None:
        raise NeedsAuth("the CalDAV server lists no calendars for this user")
    home = resources[0].href(f"{CALDAV}calendar-home-set")
    if home is None:
        elsewhere = origin_text(resources[0].base, reference)
        raise NeedsAuth(f"this user's calendars are on another server; set `url` to {elsewhere}")
    return home


def _choose(client: CaldavClient, home: str, wanted: str | None) -> str:
    found = [
        each
        for each in client.multistatus(
            "PROPFIND", home, dav.propfind(_CALENDAR_PROPERTIES), depth="1"
        ).resources
        if each.has(f"{DAV}resourcetype", f"{CALDAV}calendar") and _holds_todos(each)
    ]
    named = [each for each in found if wanted in {None, each.text(f"{DAV}displayname")}]
    if len(named) != 1:
        raise NeedsAuth(_advice(found, wanted))
    return named[0].path.rstrip("/") + "/"


def _advice(found: Sequence[DavResource], wanted: str | None) -> str:
    """Advice for settings that do not match exactly one calendar; lists the calendars to choose from."""
    if not found:
        return "this user has no calendar for to-dos; create one, or set `url` to the URL of one"
    names = [f"{each.text(f'{DAV}displayname') or '(no name)'!r} at {each.path}" for each in found]
    problem = "several calendars hold to-dos" if wanted is None else f"{wanted!r} does not match one calendar"
    return f"{problem}; set `calendar` to a name, or `url` to the URL of a calendar: {'; '.join(names)}"


def _holds_todos(resource: DavResource) -> bool:
    kinds = resource.properties.get(f"{CALDAV}supported-calendar-component-set")
    return kinds is None or any(each.get("name", "").upper() == "VTODO" for each in kinds)
