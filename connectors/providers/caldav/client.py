"""WebDAV requests to one server: authenticated, redirected within the server only, statuses checked."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

import httpx2

from connectors.providers.caldav.settings import CaldavSettings, authorization
from connectors.providers.caldav.url_paths import normal_path
from connectors.providers.caldav.webdav import MultiStatus, read_multistatus
from connectors.sdk.http_errors import check_status, host_of, send_request
from connectors.sdk.same_origin import local_path, origin_text
from schemas.errors import NeedsAuth

_MAX_REDIRECTS: Final = 5
#: The body names a violated precondition (RFC 4918 section 16): this request is refused, not the account.
_PRECONDITION: Final = re.compile(rb"<(?:[\w.-]+:)?error\b")
_ABOUT_PRIVILEGES: Final = b"need-privileges"
#: Requests about one to-do: a 403 may be about that to-do only.
_ON_ONE_OBJECT: Final = frozenset({"GET", "PUT", "DELETE"})
#: Meaning of a status for the calendar as a whole.
_MEANINGS: Final = {
    400: "it does not understand the request",
    403: "this account has no permission for that in this calendar",
    404: "the calendar does not exist, or this account has no access to it",
    405: "this URL does not support calendars",
    410: "the calendar was removed",
    415: "it does not support this kind of report",
    501: "it does not support this kind of report",
}


class CaldavClient:
    """Requests to one server."""

    def __init__(self, settings: CaldavSettings, http: httpx2.Client) -> None:
        self._http = http
        parts = urlsplit(settings.url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        # Hazard: compression in transit changes entity tags.
        self._headers = {"Accept-Encoding": "identity", **authorization(settings)}

    def multistatus(self, method: str, path: str, body: str, *, depth: str) -> MultiStatus:
        """Send an XML request and parse the 207 response.

        :raises NeedsAuth: the response has another status.
        """
        return multistatus(self.xml(method, path, body, depth=depth))

    def xml(self, method: str, path: str, body: str, *, depth: str) -> httpx2.Response:
        """Send an XML request."""
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        return self.send(method, path, f'<?xml version="1.0" encoding="utf-8"?>{body}'.encode(), headers)

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> httpx2.Response:
        """Send a request and follow redirects within the server.

        :raises Retry: no complete response, an outage or a rate limit.
        :raises NeedsAuth: the credentials are refused.
        """
        headers = {**self._headers, **headers}
        answer = self._send_once(method, path, body, headers)
        for _ in range(_MAX_REDIRECTS):
            # Hazard: never send the credentials to another origin.
            target = local_path(str(answer.url), answer.headers.get("location", ""))
            if not answer.has_redirect_location or target is None:
                break
            answer = self._send_once(method, target, body, headers)
        if answer.status_code in {403, 409} and _names_a_precondition(answer.content):
            return answer
        if answer.status_code == 409 and method == "REPORT":
            return answer  # a sync-token that the server does not know; some servers do not say so
        if answer.status_code == 403 and method in _ON_ONE_OBJECT:
            return answer
        return check_status("The CalDAV server", answer, after=10)

    def _send_once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> httpx2.Response:
        http, url = self._http, f"{self._origin}/{path.removeprefix('/')}"
        return send_request(
            "The CalDAV server", lambda: http.request(method, url, content=body, headers=headers)
        )


def multistatus(answer: httpx2.Response) -> MultiStatus:
    """Parse a 207 response; its paths are normalized.

    :raises NeedsAuth: the response has another status, or is only about resources on another server.
    """
    if answer.status_code != 207:
        status, method = answer.status_code, answer.request.method
        meaning = _MEANINGS.get(status, "this is not how a CalDAV server answers")
        raise NeedsAuth(
            f"The CalDAV server at {host_of(answer)} answered HTTP {status} to {method}: {meaning}"
        )
    found = read_multistatus(answer.content, str(answer.url))
    if found.elsewhere is not None and not found.resources:
        elsewhere = origin_text(str(answer.url), found.elsewhere)
        raise NeedsAuth(
            f"The CalDAV server at {host_of(answer)} names its objects at {elsewhere}; set `url` to that"
            " server, or correct the server's own address in its settings or its proxy's"
        )
    return replace(found, resources=[replace(each, path=normal_path(each.path)) for each in found.resources])


def _names_a_precondition(body: bytes) -> bool:
    # Hazard: no lookahead over the body. Repeated elements would take quadratic time.
    return _ABOUT_PRIVILEGES not in body and _PRECONDITION.search(body) is not None
