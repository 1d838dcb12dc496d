"""WebDAV XML (RFC 4918): build request bodies, and parse multi-status responses."""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class DavResource:
    """One resource of a multi-status response.

    :param path: path on the server, percent-encoded as sent.
    :param base: URL of the request, against which references are resolved.
    :param status: status of the resource itself; 200 if only its properties have one.
    :param properties: properties found, by XML name.
    """

    path: str
    base: str
    status: int
    properties: dict[str, ET.Element] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """Text of a property."""
        element = self.properties.get(name)
        return None if element is None else element.text

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
    """

    resources: list[DavResource]
    token: str | None


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
    # Hazard: entity expansion. WebDAV needs neither document types nor entities, so refuse to parse them.
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Retry("the server's response is not WebDAV XML")
    try:
        root = ET.fromstring(body)  # noqa: S314 - see above
        if root.tag != f"{DAV}multistatus":
            raise Retry("the server's response is not WebDAV XML")
        resources = [_resource(response, base) for response in root.findall(f"{DAV}response")]
    except (ET.ParseError, ValueError, IndexError, LookupError):
        raise Retry("the server's response is not WebDAV XML") from None
    return MultiStatus([each for each in resources if each is not None], root.findtext(f"{DAV}sync-token"))


def same_path(left: str, right: str) -> bool:
    """Return whether two paths name one resource, however they are encoded."""
    return normal_path(left).rstrip("/") == normal_path(right).rstrip("/")


def _resource(response: ET.Element, base: str) -> DavResource | None:
    path = local_path(base, response.findtext(f"{DAV}href") or "")
    if path is None:
        return None
    properties: dict[str, ET.Element] = {}
    for part in response.findall(f"{DAV}propstat"):
        if _status(part) == 200:
            for holder in part.findall(f"{DAV}prop"):
                properties.update({element.tag: element for element in holder})
    return DavResource(path, base, _status(response), properties)


def _status(element: ET.Element) -> int:
    line = element.findtext(f"{DAV}status")
    return int(line.split()[1]) if line else 200


def _elements(names: Sequence[str]) -> str:
    return "".join(f"<{name}/>" for name in names)
