"""CalDAV: an interaction is a VTODO of one calendar (RFC 4791, 5545, 6578).

The resource's name and its UID derive from our marker, which makes creation idempotent: the server itself
refuses a second resource. Every later write names the ETag it is based on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx2

from connectors.providers.caldav import webdav as dav
from connectors.providers.caldav.client import CaldavClient, multistatus
from connectors.providers.caldav.collection import CalendarCollection, acknowledges_write
from connectors.providers.caldav.entity_tags import same_tag, strong_tag
from connectors.providers.caldav.fields import FIELDS, from_level, holds, still_holds, with_level
from connectors.providers.caldav.ics.date_times import Days
from connectors.providers.caldav.ics.editing import edited, with_properties
from connectors.providers.caldav.settings import CaldavSettings, remote_calendar
from connectors.providers.caldav.url_paths import normal_path
from connectors.providers.caldav.vtodo import UID_SUFFIX, TodoText, new_todo
from connectors.providers.caldav.webdav import CALDAV, DAV, DavResource, MultiStatus
from connectors.sdk.coarse_forms import one_line, plain
from connectors.sdk.declaration import Declaration, RateLimit
from connectors.sdk.provider import Provider, ProviderContext
from connectors.sdk.remote import ChangePage, Gone, Health, Intent, RemoteChange, RemoteObject
from schemas.errors import Conflict, NeedsAuth, Retry, Skip
from schemas.instants import parse_instant

#: Statuses in a listing that are not about a living object: deleted, or more to come (RFC 6578 section 3.6).
_NOT_LISTED: Final = frozenset({404, 410, 507})


class Caldav(Provider):
    """One calendar."""

    def __init__(self, settings: CaldavSettings, context: ProviderContext) -> None:
        self._settings, self._context = settings, context
        self._days = Days(settings.time_zone, settings.day_time)
        self._calendar = CalendarCollection(settings, CaldavClient(settings, context.http))
        self._own_name = re.compile(rf"{re.escape(context.integration_id)}\.[0-9a-f-]{{36}}")

    def create(self, intent: Intent) -> RemoteObject:
        path = self._calendar.resource_path(intent.marker)
        data = new_todo(intent.marker + UID_SUFFIX, intent.marker, self._context.now())
        data = with_properties(data, TodoText(data, self._days).setting(with_level(intent.values)))
        answer = self._calendar.put(path, data, {"If-None-Match": "*"})
        if answer.status_code != 412:
            return self._stored(path, data, answer, marker=intent.marker)
        # An earlier attempt created it, and its response was lost.
        made = self.restore(path, intent.values)
        if isinstance(made, Gone):
            raise Retry("the to-do existed, and was deleted a moment later")
        return made

    def read(self, external_id: str) -> RemoteObject | Gone:
        found = self._calendar.get(external_id)
        return Gone(external_id=external_id) if found is None else self._remote_object(external_id, *found)

    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        found = self._calendar.get(external_id)
        if found is None:
            return Gone(external_id=external_id)
        data, answer = found
        seen = self._remote_object(external_id, data, answer)  # raises Skip if we must not write
        if base.version is not None and not same_tag(base.version, answer.headers.get("etag")):
            raise Conflict("the to-do was changed on the server in the meantime")
        differing = {name: value for name, value in changes.items() if not holds(seen, name, value)}
        return self._replace(external_id, data, answer, self._setting(data, differing))

    def archive(self, external_id: str) -> RemoteObject | Gone:
        found = self._calendar.get(external_id)
        if found is None:
            return Gone(external_id=external_id)
        seen = self._remote_object(external_id, *found)
        if seen.archived:
            return seen
        return self._replace(external_id, *found, TodoText(found[0], self._days).deleting())

    def erase(self, external_id: str) -> None:
        self._calendar.delete(external_id)

    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        found = self._calendar.get(external_id)
        if found is None:
            return Gone(external_id=external_id)
        data, answer = found
        back = TodoText(data, self._days).undeleting()
        before = with_properties(data, back)
        seen = self._remote_object(external_id, before, answer)
        differing = {name: value for name, value in values.items() if not still_holds(seen, name, value)}
        return self._replace(external_id, data, answer, back | self._setting(before, differing))

    def find_by_marker(self, marker: str) -> RemoteObject | None:
        path = self._calendar.resource_path(marker)
        found = self._calendar.fetch(path)
        if found is not None:
            return self._remote_object(path, *found)
        for resource in self._calendar.find_uid(marker + UID_SUFFIX):
            seen = self._reported(resource)
            if isinstance(seen, RemoteObject) and seen.marker == marker:
                return seen
        return None

    def changes(self, cursor: str | None) -> ChangePage:
        page = self._page_since(cursor) if cursor else None
        if page is None:
            # Without a cursor, or with one that has expired: list everything (RFC 6578 section 3.2).
            cursor, page = None, multistatus(self._calendar.sync(""))
        if page.token is None:
            raise NeedsAuth(
                f"The CalDAV server at {urlsplit(self._settings.url).netloc} returns no sync-token"
                " (RFC 6578), without which it cannot be polled"
            )
        collection = self._calendar.path()
        objects = [each for each in page.resources if not dav.same_path(each.path, collection)]
        members = {each.path: each for each in objects if not each.path.endswith("/")}
        living = [path for path, each in members.items() if each.status not in _NOT_LISTED]
        gone = [_gone(each, page.token) for each in members.values() if each.status in {404, 410}]
        more = any(each.status == 507 for each in page.resources)
        changed, skipped = self._read_many(living)
        return ChangePage(
            changes=(*gone, *changed),
            cursor=page.token,
            more=more,
            skipped=skipped,
            starts_full_listing=not cursor,
        )

    def health(self) -> Health:
        self._calendar.discover()
        return Health(ok=True, detail="Calendar found")

    def _page_since(self, cursor: str) -> MultiStatus | None:
        """Changes since the cursor; ``None`` if the server does not accept it.

        Servers report an expired token in many ways. Any other reason is met by listing everything.
        """
        try:
            page = multistatus(self._calendar.sync(cursor))
        except NeedsAuth:
            return None
        return page if page.token is not None else None

    def _read_many(self, paths: list[str]) -> tuple[list[RemoteChange], dict[str, str]]:
        """Changes of these to-dos, and the reason for each one that must be skipped."""
        changes: list[RemoteChange] = []
        found, skipped = self._calendar.read_many(paths)
        for resource in found:
            seen = self._reported(resource)
            if isinstance(seen, str):
                skipped[resource.path] = seen
            elif seen is not None:
                changes.append(_changed(seen))
        return changes, skipped

    def _reported(self, resource: DavResource) -> RemoteObject | str | None:
        """The to-do of a report; the reason if it must be skipped; ``None`` if it has been deleted since."""
        text = resource.text(f"{CALDAV}calendar-data")
        if text is None:
            return None if resource.gone else "the server does not report it"
        changed = resource.text(f"{DAV}getlastmodified")
        try:
            return self._parsed(resource.path, text.encode(), resource.tag, changed)
        except Skip as reason:
            return str(reason)

    def _remote_object(
        self, path: str, data: bytes, answer: httpx2.Response, marker: str | None = None
    ) -> RemoteObject:
        etag, changed = answer.headers.get("etag"), answer.headers.get("last-modified")
        return self._parsed(path, data, etag, changed, marker)

    def _parsed(
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
            "priority": None if todo.priority is None else from_level(todo.priority),
        }
        return RemoteObject(
            external_id=normal_path(path),
            version=etag,
            # Prefer the server's clock: a client may forget to update LAST-MODIFIED.
            updated_at=_http_date(changed) or todo.changed_at,
            archived=todo.deleted and todo.status == "canceled",
            marker=marker,
            values={name: value for name, value in values.items() if name not in todo.unreadable},
            extra=todo.extra,
        )

    def _marker_in(self, path: str) -> str | None:
        """The marker in the resource's name, for servers that drop it from the to-do itself."""
        name = unquote(path.rpartition("/")[2]).removesuffix(".ics")
        return name if self._own_name.fullmatch(name) else None

    def _setting(self, data: bytes, values: Mapping[str, Any]) -> dict[str, str | None]:
        return TodoText(data, self._days).setting(with_level(values))

    def _replace(
        self, path: str, data: bytes, answer: httpx2.Response, properties: Mapping[str, str | None]
    ) -> RemoteObject:
        written = edited(data, properties, self._context.now())
        if written == data:
            return self._remote_object(path, data, answer)
        # If-Match never matches a weak tag; for such a server, the comparison just made has to do.
        etag = strong_tag(answer)
        stored = self._calendar.put(path, written, {"If-Match": etag} if etag else {})
        if stored.status_code == 412:
            raise Conflict("the to-do was changed on the server in the meantime")
        return self._stored(path, written, stored, before=data)

    def _stored(
        self,
        path: str,
        data: bytes,
        answer: httpx2.Response,
        *,
        marker: str | None = None,
        before: bytes | None = None,
    ) -> RemoteObject:
        """The to-do after a write.

        :param marker: our marker, for a server that may have kept neither the UID nor our X- property.
        :param before: the to-do before the write, if there was one.
        """
        if strong_tag(answer) and acknowledges_write(answer):
            return self._remote_object(path, data, answer, marker)
        # Without an ETag the server may have stored different bytes (RFC 4791 section 5.3.4).
        found = self._calendar.fetch(path)
        if found is None:
            raise Retry("the to-do was stored, and was gone a moment later")
        if found[0] == before:
            raise Retry("the CalDAV server acknowledged a write, but still returns the to-do as it was")
        return self._remote_object(path, *found, marker)


def _changed(seen: RemoteObject) -> RemoteChange:
    event = f"{seen.external_id}:{seen.version}"
    return RemoteChange(event_id=event, external_id=seen.external_id, occurred_at=seen.updated_at, state=seen)


def _gone(resource: DavResource, token: str) -> RemoteChange:
    event = f"{resource.path}:gone:{token}"
    return RemoteChange(event_id=event, external_id=resource.path, occurred_at=None, kind="gone")


def _http_date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text or "")
        return parse_instant(found.replace(tzinfo=UTC) if found.tzinfo is None else found)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


DECLARATION: Final = Declaration(
    name="caldav",
    title="CalDAV",
    summary="Mirrors interactions as to-dos of one calendar on any CalDAV server, both ways.",
    settings=CaldavSettings,
    make=Caldav,
    remote=remote_calendar,
    fields=FIELDS,
    features=frozenset({"read", "find", "poll"}),
    hosts=lambda _settings: (),
    limits=(RateLimit(requests=100, seconds=10),),
    conditional_writes=True,
    guarantees=(
        "Recurring to-dos are skipped; so are other people's, unless `include_others` is set.",
        "Every write names the version it is based on, so another client's change is never overwritten.",
        "Properties and alarms that are not mirrored stay byte for byte.",
        "A value that cannot be read leaves only its own field unsynchronized, with a warning.",
        "The to-do of a deleted interaction is canceled and marked; an undo restores it.",
        "A due date without a time keeps the local time of day, or gets `day_time`.",
        "A time zone is the one that the to-do defines; a time without a zone is in `time_zone`.",
    ),
)
