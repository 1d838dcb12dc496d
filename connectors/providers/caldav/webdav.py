"""WebDAV XML (RFC 4918): build request bodies, and parse multi-status responses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from connectors.providers.caldav.url_paths import normal_path
from connectors.sdk.same_origin import local_path
from schemas.errors import Retry

DAV: Final = "{DAV:}"
CALDAV: Final = "{urn:ietf:params:xml:ns:caldav}"
_SPACES: Final = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
_GONE: Final = frozenset({404, 410})
_STATUS: Final = re.compile(r"\s*(?:HTTP/\S+\s+)?(\d{3})\b", re.ASCII)
_ENCODING: Final = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]{1,40})["']""", re.ASCII)
_DECLARATION: Final = re.compile(r"<\?xml[^>]*>")
_END: Final = re.compile(r"</(?:[\w.-]+:)?multistatus\s*>")
#: Characters that XML 1.0 does not allow (section 2.2), as such or as a reference.
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE: Final = re.compile(r"&#(?:x([0-9a-f]{1,8})|([0-9]{1,10}));", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DavResource:
    """One resource of a multi-status response.

    :param path: path on the server, percent-encoded as sent.
    :param base: URL of the request, against which references are resolved.
    :param status: status of the resource itself; 200 if only its properties have one, 0 if it is unreadable.
    :param properties: properties found, by XML name.
    :param failed: status of properties that were not found, if any.
    """

    path: str
    base: str
    status: int
    properties: dict[str, ET.Element] = field(default_factory=dict)
    failed: int | None = None

    @property
    def gone(self) -> bool:
        """The server reports that the resource does not exist."""
        return self.status in _GONE or (self.status == 200 and not self.properties and self.failed in _GONE)

    def text(self, name: str) -> str | None:
        """Text of a property."""
        element = self.properties.get(name)
        return None if element is None else element.text

    @property
    def tag(self) -> str | None:
        """The entity tag, if reported."""
        return (self.text(f"{DAV}getetag") or "").strip() or None

    def href(self, name: str) -> str | None:
        """Path that a property refers to; ``None`` if absent or on another server."""
        reference = self.reference(name)
        return local_path(self.base, reference) if reference else None

    def reference(self, name: str) -> str | None:
        """Reference in a property, as sent."""
        element = self.properties.get(name)
        return None if element is None else element.findtext(f"{DAV}href")

    def has(self, name: str, child: str) -> bool:
        """Return whether a property contains this element."""
        element = self.properties.get(name)
        return element is not None and element.find(child) is not None


@dataclass(frozen=True, slots=True)
class MultiStatus:
    """A 207 response.

    :param token: sync-token (RFC 6578), if present.
    :param elsewhere: a reference to a resource on another server, if any.
    """

    resources: list[DavResource]
    token: str | None
    elsewhere: str | None = None


def propfind(names: Sequence[str]) -> str:
    """PROPFIND body.

    :param names: properties with their prefix, ``d:`` or ``c:``.
    """
    return f"<d:propfind {_SPACES}><d:prop>{_elements(names)}</d:prop></d:propfind>"


def sync_collection(token: str) -> str:
    """REPORT body for the changes since a sync-token (RFC 6578); everything for ``""``."""
    return (
        f"<d:sync-collection {_SPACES}><d:sync-token>{escape(token)}</d:sync-token>"
        "<d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"
    )


def multiget(paths: Sequence[str]) -> str:
    """REPORT body to read these calendar objects (RFC 4791 section 7.9)."""
    wanted = "".join(f"<d:href>{escape(path)}</d:href>" for path in paths)
    properties = _elements(["d:getetag", "d:getlastmodified", "c:calendar-data"])
    return f"<c:calendar-multiget {_SPACES}><d:prop>{properties}</d:prop>{wanted}</c:calendar-multiget>"


def uid_query(uid: str) -> str:
    """REPORT body to find the to-dos with this UID (RFC 4791 section 7.8)."""
    properties = _elements(["d:getetag", "d:getlastmodified", "c:calendar-data"])
    return (
        f"<c:calendar-query {_SPACES}><d:prop>{properties}</d:prop><c:filter>"
        '<c:comp-filter name="VCALENDAR"><c:comp-filter name="VTODO"><c:prop-filter name="UID">'
        f'<c:text-match collation="i;octet">{escape(uid)}</c:text-match>'
        "</c:prop-filter></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"
    )


def read_multistatus(body: bytes, base: str) -> MultiStatus:
    """Parse a 207 response; resources on another server are left out.

    :param base: URL of the request.
    :raises Retry: the body is not a multi-status response.
    """
    try:
        root = _parsed(body)
    except (ET.ParseError, ValueError, LookupError):
        raise Retry("the server's response is not WebDAV XML") from None
    responses = root.findall(f"{DAV}response")
    found = [(href, resource) for response in responses for href, resource in _resources(response, base)]
    if root.tag != f"{DAV}multistatus" or (responses and not found):
        raise Retry("the server's response is not WebDAV XML")
    token = root.findtext(f"{DAV}sync-token")
    return MultiStatus(
        [resource for _, resource in found if resource is not None],
        None if token is None else token.strip(),
        next((href for href, resource in found if resource is None), None),
    )


class _Tree(ET.TreeBuilder):
    def doctype(self, *_: str | None) -> None:
        # Hazard: entity expansion. WebDAV needs neither document types nor entities.
        raise ValueError("a document type")


def _parsed(body: bytes) -> ET.Element:
    """Parse XML, also with faults that servers are known for; see :func:`_mended`.

    :raises ValueError, LookupError, ParseError: the body cannot be parsed.
    """
    try:
        return ET.fromstring(body, ET.XMLParser(target=_Tree()))  # noqa: S314 - no document types
    except ET.ParseError:
        return ET.fromstring(_mended(body), ET.XMLParser(target=_Tree()))  # noqa: S314 - likewise


def _mended(body: bytes) -> str:
    """The document without characters that XML forbids, nor text before or after it.

    Servers copy control characters of one to-do into their response, which would hide all others.
    """
    # Hazard: match only where these expressions cannot start at every octet of a huge body.
    declared = _ENCODING.match(body[:1000])
    text = body.decode(declared[1].decode() if declared is not None else "utf-8", "replace")
    text = _REFERENCE.sub(_legal_reference, _ILLEGAL.sub("", text))
    start = max(text.find("<"), 0)
    declaration = _DECLARATION.match(text, start)
    ends = [found.end() for found in _END.finditer(text)]
    return text[declaration.end() if declaration is not None else start : ends[-1] if ends else None]


def _legal_reference(found: re.Match[str]) -> str:
    number = int(found[1], 16) if found[1] else int(found[2])
    return "" if number > 0x10FFFF or _ILLEGAL.fullmatch(chr(number)) else found[0]


def same_path(left: str, right: str) -> bool:
    """Return whether two paths name one resource, however they are encoded."""
    return normal_path(left).rstrip("/") == normal_path(right).rstrip("/")


def _resources(response: ET.Element, base: str) -> Iterator[tuple[str, DavResource | None]]:
    """References of a response and their resources; ``None`` for one on another server.

    One response may name several resources that share a status (RFC 4918 section 14.24).
    """
    properties: dict[str, ET.Element] = {}
    failed = None
    for part in response.findall(f"{DAV}propstat"):
        status = _status(part)
        if status == 200:
            for holder in part.findall(f"{DAV}prop"):
                properties.update({element.tag: element for element in holder})
        else:
            failed = status
    status = _status(response)
    for element in response.findall(f"{DAV}href"):
        href = (element.text or "").strip()
        # Two leading slashes would be a reference to another host; servers mean the path.
        path = local_path(base, f"/{href.lstrip('/')}" if href.startswith("//") else href)
        yield href, None if path is None else DavResource(path, base, status, properties, failed)


def _status(element: ET.Element) -> int:
    line = element.findtext(f"{DAV}status")
    if not line:
        return 200
    found = _STATUS.match(line)
    return int(found[1]) if found is not None else 0


def _elements(names: Sequence[str]) -> str:
    return "".join(f"<{name}/>" for name in names)
