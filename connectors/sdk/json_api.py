"""Client for JSON APIs whose credentials may need a refresh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from connectors.sdk.credentials import Credentials
from connectors.sdk.http_errors import send_request
from connectors.sdk.provider import ProviderContext


class JsonApi:
    """One API.

    :param title: display name of the provider.
    :param url: base URL.
    :param on_writes: extra headers of every request but GET.
    """

    def __init__(
        self,
        title: str,
        url: str,
        credentials: Credentials,
        context: ProviderContext,
        on_writes: Mapping[str, str] | None = None,
    ) -> None:
        self._title, self._url, self._credentials = title, url.rstrip("/"), credentials
        self._http, self._on_writes = context.http, dict(on_writes or {})

    def request(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> httpx2.Response:
        """Send a request and return the response, whatever its status; retry a 401 once after a refresh.

        :param fields: the query of a GET, the JSON body of any other method.
        :raises Retry: there was no complete response, or the refresh failed for the moment.
        """
        header = self._credentials.header()
        answer = self._send(method, path, dict(fields or {}), header)
        if answer.status_code == 401 and self._credentials.refresh(header):
            answer = self._send(method, path, dict(fields or {}), self._credentials.header())
        return answer

    def _send(self, method: str, path: str, fields: dict[str, Any], header: str) -> httpx2.Response:
        # Hazard: send credentials in a header, never in the URL, which ends up in logs.
        headers = {"Authorization": header, "Accept": "application/json"}
        url, http = self._url + path, self._http
        if method == "GET":
            return send_request(self._title, lambda: http.get(url, params=fields, headers=headers))
        headers.update(self._on_writes)
        return send_request(self._title, lambda: http.request(method, url, json=fields, headers=headers))
