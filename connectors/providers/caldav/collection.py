"""One calendar collection (RFC 4791): read, write and look up its to-do resources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import httpx2

from connectors.providers.caldav import webdav as dav
from connectors.providers.caldav.client import CaldavClient, multistatus
from connectors.providers.caldav.discovery import discover_calendar
from connectors.providers.caldav.entity_tags import is_strong, strong_tag
from connectors.providers.caldav.settings import CaldavSettings
from connectors.providers.caldav.url_paths import normal_path, parent_path
from connectors.providers.caldav.webdav import CALDAV, DAV, DavResource
from connectors.sdk.bounded_transport import SENT_ENCODING
from connectors.sdk.http_errors import Throttled
from schemas.errors import NeedsAuth, Reject, Retry

#: To-dos per multiget report.
MULTIGET_SIZE: Final = 100
#: To-dos of one poll that the server may fail to report; more count as an outage.
_MOST_UNREPORTED: Final = 20
#: Successes of a write. Others, or a web page, may come from something between us and the server.
_STORED: Final = frozenset({200, 201, 204})
_WRITE_PRIVILEGES: Final = frozenset(f"{DAV}{name}" for name in ("all", "write", "write-content", "bind"))
#: The server could not parse the to-do (RFC 4791 section 5.3.2.1); some servers send this with 412.
_INVALID: Final = b"valid-calendar"


class CalendarCollection:
    """The calendar of one integration, discovered on first use."""

    def __init__(self, settings: CaldavSettings, client: CaldavClient) -> None:
        self._settings, self._client = settings, client
        self._path: str | None = None

    def path(self) -> str:
        """The calendar's path, with a trailing slash."""
        return self._path if self._path is not None else self.discover()

    def discover(self) -> str:
        """Discover the calendar again; its path."""
        self._path = discover_calendar(self._client, self._settings)
        return self._path

    def resource_path(self, marker: str) -> str:
        """The path of the to-do with this marker."""
        return normal_path(f"{self.path()}{quote(marker, safe='')}.ics")

    def sync(self, token: str) -> httpx2.Response:
        """Request the changes since a sync-token (RFC 6578); everything for ``""``."""
        return self._client.xml("REPORT", self.path(), dav.sync_collection(token), depth="0")

    def find_uid(self, uid: str) -> list[DavResource]:
        """The to-dos with this UID, and perhaps others."""
        try:
            return self._client.multistatus("REPORT", self.path(), dav.uid_query(uid), depth="1").resources
        except NeedsAuth:
            # Some servers refuse the filter; a listing finds the to-do, too.
            found, _ = self.read_many(self.members())
            return found

    def members(self) -> list[str]:
        """Paths of all to-dos.

        :raises NeedsAuth: the calendar is missing or inaccessible.
        """
        # Hazard: servers list a missing calendar as one without members.
        self._check_calendar_of(f"{self.path()}.ics")
        listed = self._client.multistatus("PROPFIND", self.path(), dav.propfind(["d:getetag"]), depth="1")
        paths = [each.path for each in listed.resources if not each.gone]
        return [path for path in paths if not path.endswith("/") and not dav.same_path(path, self.path())]

    def read_many(self, paths: Sequence[str]) -> tuple[list[DavResource], dict[str, str]]:
        """To-dos by their paths, and the reason for each one that the server does not report.

        One to-do may be too large, or one that the server fails on; the others are read without it.

        :raises Retry: the calendar does not answer either, or too many to-dos fail.
        """
        found: list[DavResource] = []
        unreported: dict[str, str] = {}
        failures = 0
        waiting = [paths[first : first + MULTIGET_SIZE] for first in range(0, len(paths), MULTIGET_SIZE)]
        while waiting:
            batch = waiting.pop()
            try:
                answer = self._client.multistatus("REPORT", self.path(), dav.multiget(batch), depth="1")
            except (NeedsAuth, Retry) as error:
                failures += len(batch) == 1
                if isinstance(error, Throttled) or failures > _MOST_UNREPORTED:
                    raise
                self.discover()  # raises if the failure is not about these to-dos
                middle = len(batch) // 2
                waiting += [batch[:middle], batch[middle:]] if middle else []
                unreported |= {} if middle else {batch[0]: f"the server cannot report it: {error}"}
                continue
            found += answer.resources
            reported = {each.path for each in answer.resources}
            missing = [path for path in batch if path not in reported]
            if 0 < len(missing) < len(batch):
                waiting.append(missing)  # the server limits the size of its response
            else:
                unreported |= dict.fromkeys(missing, "the server does not report it")
        return found, unreported

    def put(self, path: str, data: bytes, headers: dict[str, str]) -> httpx2.Response:
        """Store a to-do; the response is a success, or 412 if a precondition failed.

        :raises Reject: the server refused this to-do.
        :raises NeedsAuth: the calendar is missing or read-only.
        """
        answer = self._client.send(
            "PUT", path, data, {"Content-Type": "text/calendar; charset=utf-8", **headers}
        )
        if answer.status_code >= 400 and (answer.status_code != 412 or _INVALID in answer.content):
            if answer.status_code in {403, 404, 410}:
                self._check_calendar_of(path, writing=True)
            raise Reject("caldav_refused", f"The CalDAV server refused the to-do (HTTP {answer.status_code})")
        return answer

    def delete(self, path: str) -> None:
        """Delete a to-do; one that does not exist is deleted already.

        :raises Reject: the server refused the deletion.
        :raises NeedsAuth: the calendar is missing or read-only.
        """
        answer = self._client.send("DELETE", path, None, {})
        if answer.status_code in {204, 404, 410}:
            return
        if answer.status_code < 300:
            # Hazard: a sign-in page in between answers 200, too.
            if self.fetch(path) is not None:
                raise Retry("the CalDAV server acknowledged a deletion, but still returns the to-do")
            return
        if answer.status_code == 403:
            self._check_calendar_of(path, writing=True)
        raise Reject("caldav_refused", f"The CalDAV server refused to delete (HTTP {answer.status_code})")

    def get(self, path: str) -> tuple[bytes, httpx2.Response] | None:
        """A to-do and its response; ``None`` if the server confirms that it was deleted."""
        found = self.fetch(path)
        if found is not None:
            return found
        self._check_calendar_of(path)
        # Hazard: a GET may be misrouted. A report on the calendar confirms the deletion by another route.
        reported = self._client.multistatus(
            "REPORT", parent_path(path), dav.multiget([path]), depth="1"
        ).resources
        if not all(each.gone for each in reported if not dav.same_path(each.path, parent_path(path))):
            raise Retry("the CalDAV server lists a to-do but answers its GET with not found")
        return None

    def fetch(self, path: str) -> tuple[bytes, httpx2.Response] | None:
        """A to-do and its response; ``None`` for 404 and 410."""
        answer = self._client.send("GET", path, None, {})
        if answer.status_code in {404, 410}:
            return None
        if answer.status_code == 403:
            self._check_calendar_of(path)
        if answer.status_code != 200:
            raise Reject("caldav_refused", f"The CalDAV server refused to read (HTTP {answer.status_code})")
        if is_web_page(answer):
            raise Retry("a web page was sent instead of a to-do; is there a sign-in page before the server?")
        if strong_tag(answer) is None:
            self._set_reported_tag(path, answer)
        return answer.content, answer

    def _check_calendar_of(self, path: str, *, writing: bool = False) -> None:
        """Distinguish one refused or missing to-do from a refused or missing calendar.

        :raises NeedsAuth: the calendar is missing, inaccessible, or (``writing``) read-only.
        """
        names = ["d:resourcetype", "d:current-user-privilege-set"]
        answer = self._client.xml("PROPFIND", parent_path(path), dav.propfind(names), depth="0")
        found = multistatus(answer).resources
        if not found or not found[0].has(f"{DAV}resourcetype", f"{CALDAV}calendar"):
            raise NeedsAuth("the calendar does not exist, or this user has no access to it")
        granted = found[0].properties.get(f"{DAV}current-user-privilege-set")
        if (
            writing
            and granted is not None
            and not any(each.tag in _WRITE_PRIVILEGES for each in granted.iter())
        ):
            raise NeedsAuth("the calendar is read-only for this user; share it with write access")

    def _set_reported_tag(self, path: str, answer: httpx2.Response) -> None:
        """Replace a tag that ``If-Match`` cannot use by ``getetag``, which no proxy in between rewrites."""
        report = self._client.xml("REPORT", self.path(), dav.multiget([path]), depth="1")
        if report.status_code != 207:
            return
        for resource in multistatus(report).resources:
            tag, data = resource.tag, resource.text(f"{CALDAV}calendar-data")
            # Hazard: only for the text that was read; the to-do may have changed in between.
            if (
                tag
                and is_strong(tag)
                and data is not None
                and data.encode().split() == answer.content.split()
            ):
                answer.headers["etag"] = tag
                answer.headers.pop("content-encoding", None)
                answer.extensions.pop(SENT_ENCODING, None)


def is_web_page(answer: httpx2.Response) -> bool:
    """Return whether the response is a web page, such as a sign-in page, and no calendar object."""
    kind = answer.headers.get("content-type", "").lower()
    return kind.startswith(("text/html", "application/xhtml")) and b"BEGIN:VCALENDAR" not in answer.content


def acknowledges_write(answer: httpx2.Response) -> bool:
    """Return whether the response to a PUT proves by itself that the to-do was stored."""
    return answer.status_code in _STORED and not (answer.status_code == 200 and is_web_page(answer))
