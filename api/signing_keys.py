"""The identity provider's signing keys, fetched within a deadline and a size."""

from __future__ import annotations

import json
import time
from typing import Any, Final
from urllib.request import HTTPRedirectHandler, Request, build_opener

import jwt

#: Of one fetch: a provider may send its answer one byte at a time.
_SECONDS: Final = 5.0
_MOST_BYTES: Final = 1024 * 1024
_PART: Final = 16 * 1024


class SigningKeys(jwt.PyJWKClient):
    """The keys at an address.

    Hazard: PyJWT bounds each read and not the whole answer. A fetch without end would keep a thread of the
    process for each request, until there is none left for anything else.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, timeout=_SECONDS, lifespan=300)

    def fetch_data(self) -> Any:
        """Fetch the key set. Blocking.

        :raises jwt.PyJWKClientConnectionError: there is no answer in time, or it is too large.
        """
        deadline = time.monotonic() + _SECONDS
        try:
            content = self._read(deadline)
        except OSError as error:
            raise jwt.PyJWKClientConnectionError(f"no keys: {type(error).__name__}") from error
        found = self._as_jwk_set_payload(json.loads(content))
        if self.jwk_set_cache is not None:
            self.jwk_set_cache.put(found)
        self._last_successful_fetch = time.monotonic()
        return found

    def _read(self, deadline: float) -> bytes:
        content = b""
        with build_opener(_NoRedirect()).open(Request(self.uri), timeout=_SECONDS) as response:  # noqa: S310
            while part := response.read1(_PART):
                content += part
                if len(content) > _MOST_BYTES or time.monotonic() > deadline:
                    raise TimeoutError
        return content


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
