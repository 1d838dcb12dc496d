"""The HTTP client that a provider gets: bounds, the provider's limits, and a guard for addresses."""

from __future__ import annotations

from typing import Final

import httpx2

from connectors.sdk.addresses import public_address
from connectors.sdk.bounded_transport import BoundedTransport, Deadline, bounded_response
from connectors.sdk.http_errors import Throttled
from connectors.service.rate_limit import SlidingWindowLimiter
from schemas.errors import Reject

_TIMEOUT: Final = httpx2.Timeout(15.0, connect=5.0)
#: How many seconds a request may wait for its turn; then its unit is given back for later.
LONGEST_WAIT: Final = 20.0


class GuardedTransport(httpx2.BaseTransport):
    """Takes a token for each request; refuses private addresses where asked to.

    The address that was checked is the one that is connected to, so that a name cannot change its mind
    between the two (DNS rebinding). Redirects are not followed by the client.
    """

    def __init__(
        self,
        inner: httpx2.BaseTransport,
        buckets: SlidingWindowLimiter,
        *,
        public_addresses_only: bool,
        longest_wait: float,
        deadline: Deadline,
    ) -> None:
        self._inner = inner
        self._deadline = deadline
        self._longest_wait = longest_wait
        self._buckets = buckets
        self._public_only = public_addresses_only

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if not self._buckets.take(self._longest_wait):
            raise Throttled("the provider's limit leaves no room now", after=1.0)
        end = self._deadline.begin()
        self._deadline.left()
        if self._public_only:
            _pin_public_address(request)
        answer = self._inner.handle_request(request)
        answer.request = request
        return bounded_response(answer, self._deadline, end)

    def close(self) -> None:
        self._inner.close()


def make_client(
    buckets: SlidingWindowLimiter,
    *,
    public_addresses_only: bool,
    longest_wait: float = LONGEST_WAIT,
    transport: httpx2.BaseTransport | None = None,
    deadline: Deadline | None = None,
) -> httpx2.Client:
    """A client for one integration; its requests raise `Throttled` when they would wait too long.

    :param longest_wait: seconds that a request may wait for its turn.
    :param transport: in place of the network, for tests.
    :param deadline: bounds each exchange; one of the usual length when not given.
    """
    ends = deadline if deadline is not None else Deadline()
    inner = transport if transport is not None else BoundedTransport(ends)
    return httpx2.Client(
        transport=GuardedTransport(
            inner,
            buckets,
            public_addresses_only=public_addresses_only,
            longest_wait=longest_wait,
            deadline=ends,
        ),
        timeout=_TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        # A proxy that compresses changes entity tags, and unpacking is work that a server can impose.
        headers={"User-Agent": "customer-interactions", "Accept-Encoding": "identity"},
    )


def _pin_public_address(request: httpx2.Request) -> None:
    url = request.url
    if url.scheme != "https":
        raise Reject("insecure_url", "only https addresses are used")
    address = public_address(url.host, url.port or 443)
    # The certificate is still checked against the name; only the connection goes to the address.
    request.extensions = {**request.extensions, "sni_hostname": url.host}
    request.headers["Host"] = url.netloc.decode()
    request.url = url.copy_with(host=address)
