"""In-memory calendar behind a mock transport, with the quirks of servers and proxies."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

import httpx2
from pydantic import SecretStr

from connectors.providers.caldav import DECLARATION, CaldavSettings
from connectors.sdk.provider import Provider
from tests.providers.linked import context

HOME = "/cal/"


@dataclass
class FakeCalendar:
    """Calendar objects by path; attributes inject faults.

    :ivar spelled: spelling of paths in reports.
    :ivar stored: transformation of a text before it is stored; the response then has no ETag.
    :ivar refused: method and path → status, for requests about one object.
    :ivar calendar_status: status of requests about the calendar itself.
    :ivar objects_missing: answer 404 for every object, whatever the calendar answers.
    :ivar privileges: names of granted privileges, or ``None`` if the server does not report them.
    """

    objects: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    spelled: Callable[[str], str] = str
    stored: Callable[[str], str] | None = None
    refused: dict[tuple[str, str], int] = field(default_factory=dict)
    calendar_status: int = 207
    objects_missing: bool = False
    forgets: bool = False
    privileges: tuple[str, ...] | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)

    def provider(self, **settings: Any) -> Provider:
        given = CaldavSettings(
            url=f"https://dav.example{HOME}", username="u", password=SecretStr("the password"), **settings
        )
        return DECLARATION.make(given, context(httpx2.MockTransport(self._answer)))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = unquote(request.url.raw_path.decode())
        self.requests.append((request.method, path))
        if path.endswith("/"):
            if self.calendar_status != 207:
                return httpx2.Response(self.calendar_status, html="<h1>no</h1>")
            return getattr(self, f"_{request.method.lower()}")(request.content.decode())  # type: ignore[no-any-return]
        if (request.method, path) in self.refused:
            return httpx2.Response(self.refused[request.method, path], html="<h1>no</h1>")
        if request.method == "PUT":
            return self._put(path, request)
        if self.objects_missing or path not in self.objects:
            return httpx2.Response(404)
        return httpx2.Response(200, text=self.objects[path], headers={"etag": self._etag(path)})

    def _put(self, path: str, request: httpx2.Request) -> httpx2.Response:
        if path in self.objects and request.headers.get("if-none-match") == "*":
            return httpx2.Response(412)
        text = request.content.decode()
        self.objects[path] = self.stored(text) if self.stored is not None else text
        headers = {} if self.stored is not None else {"etag": self._etag(path)}
        return httpx2.Response(201, headers=headers)

    def _etag(self, path: str) -> str:
        return f'"{hash(self.objects[path]) & 0xFFFF}"'

    def _propfind(self, body: str) -> httpx2.Response:
        members = "".join(response(path, "<d:getetag>x</d:getetag>") for path in self.objects)
        granted = "".join(f"<d:privilege><d:{name}/></d:privilege>" for name in self.privileges or ())
        told = (
            ""
            if self.privileges is None
            else f"<d:current-user-privilege-set>{granted}</d:current-user-privilege-set>"
        )
        calendar = response(HOME, f"<d:resourcetype><c:calendar/></d:resourcetype>{told}")
        return multistatus(calendar + (members if "getetag" in body else ""))

    def _report(self, body: str) -> httpx2.Response:
        if "sync-collection" in body:
            return self._sync(body)
        if "calendar-multiget" in body:
            asked = [unquote(path) for path in re.findall(r"<d:href>([^<]*)</d:href>", body)]
        else:
            uid = re.search(r"<c:text-match[^>]*>([^<]*)<", body)
            assert uid is not None
            asked = [path for path, text in self.objects.items() if f"UID:{uid[1]}" in text]
        found = [self._data(path) for path in asked if path in self.objects]
        return multistatus("".join(found))

    def _sync(self, body: str) -> httpx2.Response:
        known = re.search(r"<d:sync-token>([^<]+)<", body)
        if known is not None and self.forgets:
            self.forgets = False
            return httpx2.Response(403, text='<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>')
        told = "".join(response(self.spelled(path), "<d:getetag>x</d:getetag>") for path in self.objects)
        for path in self.removed if known is not None else []:
            status = "<d:status>HTTP/1.1 404 Not Found</d:status>"
            told += f"<d:response><d:href>{escape(self.spelled(path))}</d:href>{status}</d:response>"
        return multistatus(f"{told}<d:sync-token>token-1</d:sync-token>")

    def _data(self, path: str) -> str:
        text = escape(self.objects[path])
        return response(
            self.spelled(path), f"<d:getetag>x</d:getetag><c:calendar-data>{text}</c:calendar-data>"
        )


def response(path: str, properties: str) -> str:
    return (
        f"<d:response><d:href>{escape(path)}</d:href><d:propstat><d:prop>{properties}</d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def multistatus(content: str) -> httpx2.Response:
    spaces = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
    return httpx2.Response(207, text=f"<d:multistatus {spaces}>{content}</d:multistatus>")
