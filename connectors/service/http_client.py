"""HTTP client for providers: deadlines, size bounds, rate limits and an SSRF check."""

from __future__ import annotations

from typing import Final

import httpx2

from connectors.sdk.addresses import public_addresses
from connectors.sdk.bounded_transport import MAX_ADDRESSES, BoundedTransport, Deadline, bounded_response
from connectors.sdk.http_errors import Throttled
from connectors.service.rate_limit import SlidingWindowLimiter
from schemas.errors import Reject

_TIMEOUT: Final = httpx2.Timeout(15.0, connect=5.0)
#: Maximum seconds that a request may wait for the rate limit; then its item is retried later.
LONGEST_WAIT: Final = 20.0


class LimitedTransport(httpx2.BaseTransport):
    """Apply rate limit and deadline to each request; refuse private addresses if configured.

    Hazard: the connection goes to exactly the address that was checked, because a name could resolve
    differently the second time (DNS rebinding). The client does not follow redirects.
    """

    def __init__(
        self,
        inner: httpx2.BaseTransport,
        limiter: SlidingWindowLimiter,
        *,
        public_addresses_only: bool,
        longest_wait: float,
        deadline: Deadline,
    ) -> None:
        self._inner = inner
        self._deadline = deadline
        self._longest_wait = longest_wait
        self._limiter = limiter
        self._public_only = public_addresses_only

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if not self._limiter.acquire(self._longest_wait):
            raise Throttled("the provider's rate limit is used up", after=1.0)
        end = self._deadline.begin()
        self._deadline.left()
        answer = self._send_to_public(request) if self._public_only else self._inner.handle_request(request)
        answer.request = request
        return bounded_response(answer, self._deadline, end)

    def _send_to_public(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the first of the host's addresses that accepts the connection."""
        url = request.url
        if url.scheme != "https":
            raise Reject("insecure_url", "only https URLs are allowed")
        addresses = public_addresses(url.host, url.port or 443)
        # The certificate is still verified against the name; only the connection uses the address.
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        request.headers["Host"] = url.netloc.decode()
        failure: Exception | None = None
        for address in addresses[:MAX_ADDRESSES]:
            request.url = url.copy_with(host=address)
            try:
                return self._inner.handle_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error  # nothing was sent
        assert failure is not None
        raise failure

    def close(self) -> None:
        self._inner.close()


def make_client(
    limiter: SlidingWindowLimiter,
    *,
    public_addresses_only: bool,
    longest_wait: float = LONGEST_WAIT,
    transport: httpx2.BaseTransport | None = None,
    deadline: Deadline | None = None,
) -> httpx2.Client:
    """Create the client of one integration; its requests raise ``Throttled`` if they would wait too long.

    :param longest_wait: maximum seconds that a request may wait for the rate limit.
    :param transport: replaces the network in tests.
    :param deadline: bounds each exchange; a default deadline if omitted.
    """
    ends = deadline if deadline is not None else Deadline()
    inner = transport if transport is not None else BoundedTransport(ends)
    return httpx2.Client(
        transport=LimitedTransport(
            inner,
            limiter,
            public_addresses_only=public_addresses_only,
            longest_wait=longest_wait,
            deadline=ends,
        ),
        timeout=_TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        # Hazard: a compressing proxy changes entity tags, and a server can abuse decompression.
        headers={"User-Agent": "customer-interactions", "Accept-Encoding": "identity"},
    )
