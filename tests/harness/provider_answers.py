"""Random provider responses: statuses, headers, encodings and bodies, valid and invalid."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Iterator
from typing import Final

import httpx2

_STATUSES: Final = (
    200, 200, 200, 201, 202, 204, 206, 207, 207, 207, 207, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402,
    403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 415, 418, 422, 423, 424, 425, 428, 429, 431, 451, 500,
    501, 502, 503, 504, 507, 508, 511, 599, 600, 999,
)  # fmt: skip
_PAUSES: Final = (
    "0", "1", "120", "9" * 400, "2147483647", "9999999999999", "-1", "1.5", "nan", "inf", "", " ", "٣",
    "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -9999",
    "Thu, 99 Foo 99999 99:99:99", "tomorrow",
)  # fmt: skip
_PLACES: Final = (
    "", "/", "0/steal", "//evil.example/", "https://evil.example/", "http://[::1", "https://dav.example:99999/",
    "https://dav.example/cal/", "../..", "?", "javascript:x", "\\\\evil",
    "https://dav.example@evil.example/", "é",
)  # fmt: skip
_TAGS: Final = ('"1"', 'W/"1"', '"1-gzip"', "1", "", '"' + "x" * 9000 + '"', "W/", "é")
_TEXTS: Final = (
    (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTODO\r\nUID:m-1@customer-interactions\r\nSUMMARY:x\r\n"
        "X-CUSTOMER-INTERACTION:m-1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    ),
    "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
    "BEGIN:VTODO",
    "",
    "no calendar",
)
_JSON: Final = (
    b"{}", b"[]", b"null", b"1", b'"x"', b"[null]", b"[{}]", b'{"id": null}', b"[[]]", b"{", b"\xff\xfe",
    b'[{"id": "1", "type": "updateCard", "date": "x", "data": {}}]', b"[" * 5000, b'{"closed": "no"}',
    b"1e999",
    b'{"id":"1","desc":"","name":"n","due":"x","labels":[],"closed":false,"dueComplete":false}',
)  # fmt: skip


class ProviderAnswers(httpx2.BaseTransport):
    """Transport that answers every request at random.

    :ivar asked: number of requests.
    :ivar hosts: hosts that were requested.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.asked = 0
        self.hosts: set[str] = set()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        self.hosts.add(request.url.host)
        chance = self._chance
        if chance.random() < 0.05:
            raise chance.choice(
                [httpx2.ConnectError, httpx2.ReadTimeout, httpx2.RemoteProtocolError, httpx2.WriteError]
            )("broken", request=request)
        body = self._body()
        headers: list[tuple[bytes, bytes]] = []
        for name, values, share in (
            ("retry-after", _PAUSES, 0.4),
            ("location", _PLACES, 0.4),
            ("etag", _TAGS, 0.6),
            ("last-modified", _PAUSES, 0.2),
            ("date", _PAUSES, 0.2),
        ):
            if chance.random() < share:
                headers.append((name.encode(), chance.choice(values).encode()))
        if chance.random() < 0.3:
            coding, body = self._coded(body)
            headers.append((b"content-encoding", coding))
        return httpx2.Response(chance.choice(_STATUSES), headers=headers, stream=_Parts(body, chance))

    def _coded(self, body: bytes) -> tuple[bytes, bytes]:
        return self._chance.choice(
            [
                (b"gzip", gzip.compress(body)),
                (b"gzip", body),
                (b"gzip", gzip.compress(body)[:-3]),
                (b"deflate", zlib.compress(body)),
                (b"deflate", b"\xff" * 9),
                (b"gzip, gzip", gzip.compress(gzip.compress(body))),
                (b"zip-of-ours", body),
            ]
        )

    def _body(self) -> bytes:
        chance = self._chance
        if chance.random() < 0.4:
            return chance.choice(_JSON)
        if chance.random() < 0.3:
            return chance.choice(_TEXTS).encode()
        responses = "".join(self._response() for _ in range(chance.randrange(4)))
        token = chance.choice(["<d:sync-token>t</d:sync-token>", "<d:sync-token/>", ""])
        text = f'<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">{responses}{token}'
        return (
            text + chance.choice(["</d:multistatus>", "</d:multistatus>", "</d:multistatus>", ""])
        ).encode()

    def _response(self) -> str:
        chance = self._chance
        href = chance.choice([*_PLACES, "/cal/", "/cal/m-1.ics", "/cal/%6d-1.ics"])
        status = chance.choice(["HTTP/1.1 200 OK", "HTTP/1.1 404 x", "HTTP/1.1 507 x", "HTTP/1.1", "x y", ""])
        properties = "".join(
            chance.choice(
                [
                    '<d:getetag>"1"</d:getetag>',
                    "<d:resourcetype><c:calendar/></d:resourcetype>",
                    f"<c:calendar-data>{chance.choice(_TEXTS)}</c:calendar-data>",
                    "<d:current-user-principal><d:href>/p/</d:href></d:current-user-principal>",
                    "<c:calendar-home-set><d:href>0/steal</d:href></c:calendar-home-set>",
                    "<c:calendar-home-set/>",
                    "<d:displayname>Todo</d:displayname>",
                ]
            )
            for _ in range(chance.randrange(4))
        )
        whole = chance.choice(["", f"<d:status>{status}</d:status>"])
        href = href.replace("&", "&amp;")
        return (
            f"<d:response><d:href>{href}</d:href>{whole}<d:propstat><d:prop>{properties}</d:prop>"
            "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        )


class _Parts(httpx2.SyncByteStream):
    """Yield the body in a few parts; it may break off."""

    def __init__(self, body: bytes, chance: random.Random) -> None:
        self._body, self._cut = body, chance.random() < 0.05

    def __iter__(self) -> Iterator[bytes]:
        half = len(self._body) // 2
        yield self._body[:half]
        if self._cut:
            raise httpx2.ReadError("cut")
        yield self._body[half:]
