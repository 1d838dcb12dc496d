"""CalDAV: an interaction is a VTODO of one calendar (RFC 4791, 5545, 6578).

The resource's name and its UID derive from our marker, so that creating is idempotent: the server itself
refuses a second one. Every later write names the ETag it is based on.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo

import httpx2
from pydantic import Field, SecretStr, field_validator

from connectors.providers.caldav import webdav as dav
from connectors.providers.caldav.entity_tags import is_strong, same_tag, strong_tag
from connectors.providers.caldav.ics.date_times import AllDay, Days
from connectors.providers.caldav.ics.editing import edited, with_properties
from connectors.providers.caldav.url_paths import normal_path, parent_path
from connectors.providers.caldav.vtodo import UID_SUFFIX, TodoText, new_todo
from connectors.providers.caldav.webdav import CALDAV, DAV, DavResource, MultiStatus
from connectors.sdk.bounded_transport import SENT_ENCODING
from connectors.sdk.coarse_forms import one_line, plain, to_seconds
from connectors.sdk.declaration import Declaration, MirroredField, ProviderSettings, RateLimit
from connectors.sdk.http_errors import check_status, host_of, send_request
from connectors.sdk.provider import Provider, ProviderContext
from connectors.sdk.remote import ChangePage, Gone, Health, Intent, RemoteChange, RemoteObject
from connectors.sdk.same_origin import local_path, origin_text
from schemas.errors import Conflict, NeedsAuth, Reject, Retry, Skip
from schemas.instants import parse_instant

_AT_ONCE: Final = 100
_HOPS: Final = 5
#: This one request is refused for a stated reason (RFC 4918 section 16), not for who we are.
_PRECONDITION: Final = re.compile(rb"<(?:\w+:)?error\b(?!.*need-privileges)", re.DOTALL)
#: Requests about one to-do: a 403 may be about that to-do alone.
_ON_ONE_OBJECT: Final = frozenset({"GET", "PUT"})
_WRITING: Final = frozenset(f"{DAV}{name}" for name in ("all", "write", "write-content", "bind"))
#: The server could not read what we sent (RFC 4791 section 5.3.2.1); some say so with 412.
_INVALID: Final = b"valid-calendar"
_CALENDAR: Final = ("d:resourcetype", "d:displayname", "c:supported-calendar-component-set")


#: What a status means for the calendar as a whole.
_MEANINGS: Final = {
    400: "it does not understand the request",
    403: "this account may not do that in this calendar",
    404: "the calendar is not there any more, or not for this account",
    405: "this address does not support calendars",
    410: "the calendar was removed",
    415: "it does not support this kind of report",
    501: "it does not support this kind of report",
}


class CaldavSettings(ProviderSettings):
    """A server or a calendar on it, and how to sign in."""

    url: str = Field(description="Address of the server, of your principal or of the calendar itself")
    username: str | None = Field(None, description="User name; none if the server asks for none")
    password: SecretStr | None = Field(None, description="Password, better one made for this purpose only")
    bearer_token: SecretStr | None = Field(None, description="Bearer token, instead of a password")
    calendar: str | None = Field(None, description="Name of the calendar, if there are several for to-dos")
    include_others: bool = Field(False, description="Take in to-dos that other people made, too")
    time_zone: ZoneInfo = Field(ZoneInfo("UTC"), description="Time zone of due dates that name none")
    day_time: time = Field(time(9), description="Time of day of due dates that have none here nor there")

    @field_validator("url")
    @classmethod
    def _encrypted(cls, url: str) -> str:
        parts = urlsplit(url)
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("must begin with https:// (http:// only on this machine)")
        if parts.username or parts.password:
            raise ValueError("must not hold credentials: give username and password of their own")
        return url


class Caldav(Provider):
    """One calendar."""

    def __init__(self, settings: CaldavSettings, context: ProviderContext) -> None:
        self._settings, self._context = settings, context
        self._days = Days(settings.time_zone, settings.day_time)
        parts = urlsplit(settings.url)
        self._origin, self._path = f"{parts.scheme}://{parts.netloc}", parts.path or "/"
        # Compression on the way changes entity tags.
        self._headers = {"Accept-Encoding": "identity", **_authorization(settings)}
        self._calendar: str | None = None
        self._named_by_us = re.compile(rf"{re.escape(context.integration_id)}\.[0-9a-f-]{{36}}")

    def create(self, intent: Intent) -> RemoteObject:
        path = self._resource(intent.marker)
        data = new_todo(intent.marker + UID_SUFFIX, intent.marker, self._context.now())
        data = with_properties(data, TodoText(data, self._days).setting(_levels(intent.values)))
        answer = self._put(path, data, {"If-None-Match": "*"})
        if answer.status_code != 412:
            return self._stored(path, data, answer, marker=intent.marker)
        # An earlier run has made it, and did not hear of it.
        made = self.restore(path, intent.values)
        if isinstance(made, Gone):
            raise Retry("the to-do was there, and then it was not")
        return made

    def read(self, external_id: str) -> RemoteObject | Gone:
        found = self._get(external_id)
        return Gone(external_id=external_id) if found is None else self._object(external_id, *found)

    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        found = self._get(external_id)
        if found is None:
            return Gone(external_id=external_id)
        data, answer = found
        seen = self._object(external_id, data, answer)  # raises Skip where we must not write
        if base.version is not None and not same_tag(base.version, answer.headers.get("etag")):
            raise Conflict("the to-do was changed at the server meanwhile")
        differing = {name: value for name, value in changes.items() if not _holds(seen, name, value)}
        return self._replace(external_id, data, answer, self._setting(data, differing))

    def archive(self, external_id: str) -> RemoteObject | Gone:
        found = self._get(external_id)
        if found is None:
            return Gone(external_id=external_id)
        seen = self._object(external_id, *found)
        if seen.archived:
            return seen
        return self._replace(external_id, *found, TodoText(found[0], self._days).deleting())

    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        found = self._get(external_id)
        if found is None:
            return Gone(external_id=external_id)
        data, answer = found
        back = TodoText(data, self._days).undeleting()
        before = with_properties(data, back)
        seen = self._object(external_id, before, answer)
        differing = {name: value for name, value in values.items() if not _still_holds(seen, name, value)}
        return self._replace(external_id, data, answer, back | self._setting(before, differing))

    def find_by_marker(self, marker: str) -> RemoteObject | None:
        path = self._resource(marker)
        found = self._fetched(path)
        if found is not None:
            return self._object(path, *found)
        answer = self._dav("REPORT", self._collection(), dav.uid_query(marker + UID_SUFFIX), depth="1")
        for resource in answer.resources:
            seen = self._reported(resource)
            if isinstance(seen, RemoteObject) and seen.marker == marker:
                return seen
        return None

    def changes(self, cursor: str | None) -> ChangePage:
        collection = self._collection()
        answer = self._request("REPORT", collection, dav.sync_collection(cursor or ""), depth="0")
        if answer.status_code in {400, 403, 409, 412} and cursor:
            return self.changes(None)  # the token is too old: everything once more (RFC 6578 section 3.2)
        page = _multistatus(answer)
        if page.token is None:
            raise NeedsAuth(
                f"The CalDAV server at {host_of(answer)} gives no sync-token (RFC 6578), without which it"
                " cannot be polled"
            )
        objects = [each for each in page.resources if not dav.same_path(each.path, collection)]
        gone = [_gone(each, page.token) for each in objects if each.status in {404, 410}]
        living = [each.path for each in objects if each.status == 200 and not each.path.endswith("/")]
        more = any(each.status == 507 for each in page.resources)
        skipped: dict[str, str] = {}
        changed = [*gone, *self._fetch(living, skipped)]
        return ChangePage(
            changes=tuple(changed),
            cursor=page.token,
            more=more,
            skipped=skipped,
            starts_full_listing=not cursor,
        )

    def health(self) -> Health:
        self._calendar = self._discovered()
        return Health(ok=True, detail="Calendar found")

    def _fetch(self, paths: list[str], skipped: dict[str, str]) -> list[RemoteChange]:
        changes = []
        for first in range(0, len(paths), _AT_ONCE):
            body = dav.multiget(paths[first : first + _AT_ONCE])
            for resource in self._dav("REPORT", self._collection(), body, depth="1").resources:
                seen = self._reported(resource)
                if isinstance(seen, str):
                    skipped[resource.path] = seen
                elif seen is not None:
                    changes.append(_changed(seen))
        return changes

    def _reported(self, resource: DavResource) -> RemoteObject | str | None:
        """An object of a report; the reason if it must be left alone; ``None`` if it is gone again."""
        text = resource.text(f"{CALDAV}calendar-data")
        if text is None:
            return None
        etag, changed = resource.text(f"{DAV}getetag"), resource.text(f"{DAV}getlastmodified")
        try:
            return self._seen(resource.path, text.encode(), etag, changed)
        except Skip as reason:
            return str(reason)

    def _object(
        self, path: str, data: bytes, answer: httpx2.Response, marker: str | None = None
    ) -> RemoteObject:
        etag, changed = answer.headers.get("etag"), answer.headers.get("last-modified")
        return self._seen(path, data, etag, changed, marker)

    def _seen(
        self, path: str, data: bytes, etag: str | None, changed: str | None, marker: str | None = None
    ) -> RemoteObject:
        todo = TodoText(data, self._days).read()
        marker = todo.marker or marker or self._marker_in(path)
        if marker is None and not self._settings.include_others:
            raise Skip("made by others")
        values = {
            "title": one_line((one_line(todo.title) or "")[:500]),
            "body": plain((plain(todo.body) or "")[:10_000]),
            "status": todo.status,
            "scheduled_at": todo.due,
            "occurred_at": todo.completed,
            "priority": None if todo.priority is None else _importance(todo.priority),
        }
        return RemoteObject(
            external_id=normal_path(path),
            version=etag,
            # The server's clock, where it tells: a client may forget to move LAST-MODIFIED.
            updated_at=_http_date(changed) or todo.changed_at,
            archived=todo.deleted and todo.status == "canceled",
            marker=marker,
            values={name: value for name, value in values.items() if name not in todo.unreadable},
            extra=todo.extra,
        )

    def _setting(self, data: bytes, values: Mapping[str, Any]) -> dict[str, str | None]:
        return TodoText(data, self._days).setting(_levels(values))

    def _replace(
        self, path: str, data: bytes, answer: httpx2.Response, properties: Mapping[str, str | None]
    ) -> RemoteObject:
        written = edited(data, properties, self._context.now())
        if written == data:
            return self._object(path, data, answer)
        # A weak tag never matches; such a server was compared a moment ago, and that must do.
        etag = strong_tag(answer)
        stored = self._put(path, written, {"If-Match": etag} if etag else {})
        if stored.status_code == 412:
            raise Conflict("the to-do was changed at the server meanwhile")
        return self._stored(path, written, stored)

    def _stored(
        self, path: str, data: bytes, answer: httpx2.Response, *, marker: str | None = None
    ) -> RemoteObject:
        """The to-do after a write; ``marker`` is ours where the server may have kept neither UID nor X-."""
        if strong_tag(answer):
            return self._object(path, data, answer, marker)
        # No ETag: the server keeps other bytes than it was sent (RFC 4791 section 5.3.4).
        found = self._fetched(path)
        if found is None:
            raise Retry("the to-do was stored, and then it was not there")
        return self._object(path, *found, marker)

    def _marker_in(self, path: str) -> str | None:
        """The marker that names the resource, where a server has dropped it from the to-do itself."""
        name = unquote(path.rpartition("/")[2]).removesuffix(".ics")
        return name if self._named_by_us.fullmatch(name) else None

    def _put(self, path: str, data: bytes, headers: dict[str, str]) -> httpx2.Response:
        kind = {"Content-Type": "text/calendar; charset=utf-8", **headers}
        answer = self._send("PUT", path, data, kind)
        if answer.status_code >= 400 and (answer.status_code != 412 or _INVALID in answer.content):
            if answer.status_code in {403, 404, 410}:
                self._check_calendar_of(path, writing=True)
            raise Reject("caldav_refused", f"The CalDAV server refused the to-do (HTTP {answer.status_code})")
        return answer

    def _get(self, path: str) -> tuple[bytes, httpx2.Response] | None:
        """A to-do and the answer that brought it; ``None`` when the server shows that it is deleted."""
        found = self._fetched(path)
        if found is not None:
            return found
        self._check_calendar_of(path)
        # A path may be misrouted; a report on the calendar speaks for the object by another one.
        reported = self._dav("REPORT", parent_path(path), dav.multiget([path]), depth="1").resources
        if any(each.text(f"{CALDAV}calendar-data") for each in reported):
            raise Retry("the CalDAV server lists a to-do that it does not give out")
        return None

    def _check_calendar_of(self, path: str, *, writing: bool = False) -> None:
        """Tell one refused or missing to-do from a calendar that is refused or missing.

        :raises NeedsAuth: the calendar is not there, not for us, or (``writing``) read-only for us.
        """
        names = ["d:resourcetype", "d:current-user-privilege-set"]
        answer = self._request("PROPFIND", parent_path(path), dav.propfind(names), depth="0")
        found = _multistatus(answer).resources
        if not found or not found[0].has(f"{DAV}resourcetype", f"{CALDAV}calendar"):
            raise NeedsAuth("the calendar is not there any more, or not for us")
        granted = found[0].properties.get(f"{DAV}current-user-privilege-set")
        if writing and granted is not None and not any(each.tag in _WRITING for each in granted.iter()):
            raise NeedsAuth("the calendar is read-only for this user; share it with write access")

    def _fetched(self, path: str) -> tuple[bytes, httpx2.Response] | None:
        answer = self._send("GET", path, None, {})
        if answer.status_code in {404, 410}:
            return None
        if answer.status_code == 403:
            self._check_calendar_of(path)
        if answer.status_code != 200:
            raise Reject("caldav_refused", f"The CalDAV server refused to read (HTTP {answer.status_code})")
        if strong_tag(answer) is None:
            self._set_reported_tag(path, answer)
        return answer.content, answer

    def _set_reported_tag(self, path: str, answer: httpx2.Response) -> None:
        """Replace a tag that no write can name by ``getetag``, which no proxy on the way has changed."""
        report = self._request("REPORT", self._collection(), dav.multiget([path]), depth="1")
        if report.status_code != 207:
            return
        for resource in _multistatus(report).resources:
            tag, data = resource.text(f"{DAV}getetag"), resource.text(f"{CALDAV}calendar-data")
            # Only of the very text that was read: the object may have changed in between.
            if (
                tag
                and is_strong(tag)
                and data is not None
                and data.encode().split() == answer.content.split()
            ):
                answer.headers["etag"] = tag
                answer.headers.pop("content-encoding", None)
                answer.extensions.pop(SENT_ENCODING, None)

    def _resource(self, marker: str) -> str:
        return normal_path(f"{self._collection()}{quote(marker, safe='')}.ics")

    def _collection(self) -> str:
        """The calendar's path, with a slash at its end; found out once."""
        if self._calendar is None:
            self._calendar = self._discovered()
        return self._calendar

    def _discovered(self) -> str:
        """RFC 6764 section 6: the address itself, else principal, home set and the calendars in it.

        :returns: the calendar's path, with a slash at its end.
        """
        names = [*_CALENDAR, "d:current-user-principal"]
        for path in (self._path, "/.well-known/caldav"):
            answer = self._request("PROPFIND", path, dav.propfind(names), depth="0")
            if answer.status_code == 207 and (found := _multistatus(answer).resources):
                if found[0].has(f"{DAV}resourcetype", f"{CALDAV}calendar"):
                    return found[0].path.rstrip("/") + "/"
                principal = found[0].href(f"{DAV}current-user-principal")
                if principal:
                    return self._chosen(self._home(principal))
        raise NeedsAuth("no CalDAV server is at this address")

    def _home(self, principal: str) -> str:
        answer = self._dav("PROPFIND", principal, dav.propfind(["c:calendar-home-set"]), depth="0")
        reference = answer.resources[0].reference(f"{CALDAV}calendar-home-set") if answer.resources else None
        if reference is None:
            raise NeedsAuth("the CalDAV server names no calendars for this user")
        home = answer.resources[0].href(f"{CALDAV}calendar-home-set")
        if home is None:
            elsewhere = origin_text(answer.resources[0].base, reference)
            raise NeedsAuth(f"this user's calendars are on another server; set `url` to {elsewhere}")
        return home

    def _chosen(self, home: str) -> str:
        wanted = self._settings.calendar
        found = [
            each
            for each in self._dav("PROPFIND", home, dav.propfind(_CALENDAR), depth="1").resources
            if each.has(f"{DAV}resourcetype", f"{CALDAV}calendar") and _holds_todos(each)
        ]
        named = [each for each in found if wanted in {None, each.text(f"{DAV}displayname")}]
        if len(named) != 1:
            raise NeedsAuth(_calendar_choice(found, wanted))
        return named[0].path.rstrip("/") + "/"

    def _dav(self, method: str, path: str, body: str, *, depth: str) -> MultiStatus:
        return _multistatus(self._request(method, path, body, depth=depth))

    def _request(self, method: str, path: str, body: str, *, depth: str) -> httpx2.Response:
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        return self._send(method, path, f'<?xml version="1.0" encoding="utf-8"?>{body}'.encode(), headers)

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> httpx2.Response:
        headers = {**self._headers, **headers}
        answer = self._once(method, path, body, headers)
        for _ in range(_HOPS):
            # Only within the server: the credentials go nowhere else.
            target = local_path(str(answer.url), answer.headers.get("location", ""))
            if not answer.has_redirect_location or target is None:
                break
            answer = self._once(method, target, body, headers)
        if answer.status_code in {403, 409} and _PRECONDITION.search(answer.content):
            return answer
        if answer.status_code == 403 and method in _ON_ONE_OBJECT:
            return answer
        return check_status("The CalDAV server", answer, after=10)

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> httpx2.Response:
        http, url = self._context.http, f"{self._origin}/{path.removeprefix('/')}"
        return send_request(
            "The CalDAV server", lambda: http.request(method, url, content=body, headers=headers)
        )


def _levels(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with the priority as one of nine levels."""
    if values.get("priority") is None:
        return dict(values)
    return {**values, "priority": _level(values["priority"])}


def _holds(seen: RemoteObject, name: str, value: Any) -> bool:
    """Return whether the to-do says this already, as exactly as it can."""
    coarse = next(field.coarse for field in DECLARATION.fields if field.name == name)
    return name in seen.values and seen.values[name] == coarse(value)


def _still_holds(seen: RemoteObject, name: str, value: Any) -> bool:
    """Compare a to-do that comes back with before its deletion; what is unreadable stays."""
    if name not in seen.values or _holds(seen, name, value):
        return True
    return (
        name == "scheduled_at" and value is not None and keep_time_of_day(value, seen.values[name]) == value
    )


def keep_time_of_day(here: datetime | None, there: datetime | None) -> datetime | None:
    """The time of day here on the date there, if the to-do has a date without a time."""
    return there.with_time_of(here) if here is not None and isinstance(there, AllDay) else there


def keep_moment(here: datetime | None, there: datetime | None) -> datetime | None:
    """The moment there; a to-do that is done and does not say when takes none from us."""
    return here if there is None else there


def _level(priority: int) -> int:
    return 9 - round(priority / 12.5)


def _importance(level: int) -> int:
    return round((9 - level) * 12.5)


def to_nine(priority: int | None) -> int | None:
    """A priority as exact as nine levels tell it."""
    return None if priority is None else _importance(_level(priority))


def _multistatus(answer: httpx2.Response) -> MultiStatus:
    if answer.status_code != 207:
        status, method = answer.status_code, answer.request.method
        meaning = _MEANINGS.get(status, "it does not answer as a CalDAV server does")
        raise NeedsAuth(
            f"The CalDAV server at {host_of(answer)} answered HTTP {status} to {method}: {meaning}"
        )
    found = dav.read_multistatus(answer.content, str(answer.url))
    return replace(found, resources=[replace(each, path=normal_path(each.path)) for each in found.resources])


def _changed(seen: RemoteObject) -> RemoteChange:
    event = f"{seen.external_id}:{seen.version}"
    return RemoteChange(event_id=event, external_id=seen.external_id, occurred_at=seen.updated_at, state=seen)


def _gone(resource: DavResource, token: str) -> RemoteChange:
    event = f"{resource.path}:gone:{token}"
    return RemoteChange(event_id=event, external_id=resource.path, occurred_at=None, kind="gone")


def _calendar_choice(found: Sequence[DavResource], wanted: str | None) -> str:
    """Advice for settings that do not fit exactly one calendar; names those to choose from."""
    if not found:
        return "this user has no calendar for to-dos; make one, or set `url` to the address of one"
    names = [f"{each.text(f'{DAV}displayname') or '(no name)'!r} at {each.path}" for each in found]
    problem = "several calendars hold to-dos" if wanted is None else f"{wanted!r} does not name one calendar"
    return f"{problem}; set `calendar` to a name, or `url` to an address: {'; '.join(names)}"


def _holds_todos(resource: DavResource) -> bool:
    kinds = resource.properties.get(f"{CALDAV}supported-calendar-component-set")
    return kinds is None or any(each.get("name", "").upper() == "VTODO" for each in kinds)


def _http_date(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_instant(parsedate_to_datetime(text).astimezone(UTC))
    except ValueError:
        return None


def _authorization(settings: CaldavSettings) -> dict[str, str]:
    if settings.bearer_token is not None:
        return {"Authorization": f"Bearer {settings.bearer_token.get_secret_value()}"}
    if settings.username is None or settings.password is None:
        return {}
    pair = f"{settings.username}:{settings.password.get_secret_value()}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _remote(settings: Mapping[str, Any]) -> tuple[str, ...]:
    parts = urlsplit(settings["url"])
    # Below a server's root or a principal's address, the calendars depend on the user who signs in.
    who = settings.get("username") or ""
    return parts.netloc.lower(), parts.path.rstrip("/"), who, settings.get("calendar") or ""


DECLARATION: Final = Declaration(
    name="caldav",
    title="CalDAV",
    summary="Mirrors interactions as to-dos of one calendar of any CalDAV server, both ways.",
    settings=CaldavSettings,
    make=Caldav,
    remote=_remote,
    fields=(
        MirroredField(name="title", remote_name="SUMMARY", coarse=one_line, loss="A summary is one line."),
        MirroredField(
            name="body", remote_name="DESCRIPTION", coarse=plain, loss="White space around it is lost."
        ),
        MirroredField(name="status", remote_name="STATUS"),
        MirroredField(
            name="scheduled_at",
            remote_name="DUE",
            coarse=to_seconds,
            refine=keep_time_of_day,
            loss="Exact to the second.",
        ),
        MirroredField(
            name="occurred_at",
            remote_name="COMPLETED",
            coarse=to_seconds,
            refine=keep_moment,
            loss="Exact to the second.",
        ),
        MirroredField(
            name="priority", remote_name="PRIORITY", coarse=to_nine, loss="Nine levels instead of 101."
        ),
    ),
    features=frozenset({"read", "find", "poll"}),
    hosts=lambda _settings: (),
    limits=(RateLimit(requests=100, seconds=10),),
    conditional_writes=True,
    guarantees=(
        "Repeating to-dos are left alone; so are other people's, unless `include_others` is set.",
        "Every write names the version it is based on, so nobody's change is overwritten unseen.",
        "Properties and alarms that are not ours stay as they are, byte for byte.",
        "A value that cannot be read leaves its field alone on both sides, with a warning, and no other.",
        "A deleted interaction's to-do is canceled and marked, and comes back as it was by an undo.",
        "A due date without a time keeps the time of day here, or else gets `day_time`.",
        "A time zone is the one that the to-do itself defines; a time without one is in `time_zone`.",
    ),
)
