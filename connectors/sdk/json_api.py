"""A JSON API with credentials that may have to be renewed; for providers that speak to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from connectors.sdk.credentials import Credentials
from connectors.sdk.http_errors import send_request
from connectors.sdk.provider import ProviderContext


class JsonApi:
    """One API.

    :param title: its name for people.
    :param url: what every path is put behind.
    :param on_writes: headers of every request but GET.
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
        """The answer, whatever it is; after 401 once more with renewed credentials, if there are any.

        :param fields: the query of a GET, the JSON body of anything else.
        :raises Retry: there was no answer, or the credentials could not be renewed just now.
        """
        header = self._credentials.header()
        answer = self._send(method, path, dict(fields or {}), header)
        if answer.status_code == 401 and self._credentials.refresh(header):
            answer = self._send(method, path, dict(fields or {}), self._credentials.header())
        return answer

    def _send(self, method: str, path: str, fields: dict[str, Any], header: str) -> httpx2.Response:
        # Credentials travel in a header and never in the address, which ends up in logs.
        headers = {"Authorization": header, "Accept": "application/json"}
        url, http = self._url + path, self._http
        if method == "GET":
            return send_request(self._title, lambda: http.get(url, params=fields, headers=headers))
        headers.update(self._on_writes)
        return send_request(self._title, lambda: http.request(method, url, json=fields, headers=headers))
