"""Signing keys of the identity provider (JWKS, RFC 7517), fetched within a deadline and a size."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Final
from urllib.request import HTTPRedirectHandler, Request, build_opener

import jwt

from runtime.bounded_call import CallTimeout, within

_SECONDS: Final = 5.0
_LIFESPAN_SECONDS: Final = 300
_MOST_BYTES: Final = 1024 * 1024
_PART: Final = 16 * 1024
#: Maximum number of requests that have not ended although they were given up.
_MAX_GIVEN_UP: Final = 4


class SigningKeys(jwt.PyJWKClient):
    """Cached keys of one URL.

    Hazard: a timeout applies per socket operation, so a server that sends one byte at a time holds the
    calling thread, and with it the threads of the whole gateway.

    :param seconds: deadline of one request.
    """

    def __init__(self, url: str, seconds: float = _SECONDS) -> None:
        super().__init__(url, timeout=seconds, lifespan=_LIFESPAN_SECONDS)
        self._seconds = seconds
        self._free = threading.BoundedSemaphore(_MAX_GIVEN_UP)

    def fetch_data(self) -> Any:
        """Fetch the keys. Blocking.

        :raises jwt.PyJWKClientConnectionError: there is no answer in time, or it is too large.
        """
        if not self._free.acquire(timeout=self._seconds):
            raise jwt.PyJWKClientConnectionError("earlier requests have not ended yet")
        try:
            content = within(self._seconds, "the request for signing keys", self._read)
        except (CallTimeout, OSError) as error:
            raise jwt.PyJWKClientConnectionError(f"no keys: {type(error).__name__}: {error}") from None
        found = self._as_jwk_set_payload(json.loads(content))
        if self.jwk_set_cache is not None:
            self.jwk_set_cache.put(found)
        self._last_successful_fetch = time.monotonic()
        return found

    def _read(self) -> bytes:
        content = b""
        try:
            opener = build_opener(_NoRedirect())
            with opener.open(Request(self.uri), timeout=self._seconds) as response:  # noqa: S310
                while part := response.read1(_PART):
                    content += part
                    if len(content) > _MOST_BYTES:
                        raise OSError("the answer is too large")
        finally:
            self._free.release()
        return content


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
