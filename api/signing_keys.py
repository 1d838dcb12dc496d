"""Signing keys of the identity provider (JWKS, RFC 7517), fetched within one deadline."""

from __future__ import annotations

import threading
from typing import Any, Final

import jwt

from runtime.bounded_call import CallTimeout, within

_SECONDS: Final = 5.0
_LIFESPAN_SECONDS: Final = 300
#: Maximum number of requests that have not ended although they were given up.
_MAX_GIVEN_UP: Final = 4


class SigningKeys(jwt.PyJWKClient):
    """Cached keys of one URL.

    Hazard: the client's timeout applies per socket operation, so a server that sends one byte at a time
    holds the calling thread, and with it the threads of the whole gateway.

    :param seconds: deadline of one request.
    """

    def __init__(self, url: str, seconds: float = _SECONDS) -> None:
        super().__init__(url, timeout=seconds, lifespan=_LIFESPAN_SECONDS)
        self._seconds = seconds
        self._free = threading.BoundedSemaphore(_MAX_GIVEN_UP)

    def fetch_data(self) -> Any:
        """Fetch the keys.

        :raises jwt.PyJWKClientConnectionError: the provider does not respond in time.
        """
        if not self._free.acquire(timeout=self._seconds):
            raise jwt.PyJWKClientConnectionError("earlier requests have not ended yet")
        try:
            return within(self._seconds, "the request for signing keys", self._fetch)
        except CallTimeout as error:
            raise jwt.PyJWKClientConnectionError(str(error)) from None

    def _fetch(self) -> Any:
        try:
            return super().fetch_data()
        finally:
            self._free.release()
