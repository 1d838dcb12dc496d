"""The HTTP client that a provider gets: timeouts, the provider's limits, and a guard for addresses."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

import httpx2

from connectors.token_bucket import TokenBuckets
from schemas.errors import Reject, Retry

_TIMEOUT: Final = httpx2.Timeout(15.0, connect=5.0)
#: How many seconds a request may wait for its turn; then its unit is given back for later.
LONGEST_WAIT: Final = 20.0
#: IPv6 addresses whose last four bytes are the IPv4 address they lead to (RFC 6052, RFC 4291).
_CARRYING_IPV4: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
#: Translation into a network of one's own (RFC 8215).
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")


class Throttled(Retry):
    """Our own side of the provider's limits leaves no room now: nothing was sent, and nobody failed."""


class GuardedTransport(httpx2.BaseTransport):
    """Takes a token for each request; refuses private addresses where asked to.

    The address that was checked is the one that is connected to, so that a name cannot change its mind
    between the two (DNS rebinding). Redirects are not followed by the client.
    """

    def __init__(
        self,
        inner: httpx2.BaseTransport,
        buckets: TokenBuckets,
        *,
        public_addresses_only: bool,
        longest_wait: float,
    ) -> None:
        self._inner = inner
        self._longest_wait = longest_wait
        self._buckets = buckets
        self._public_only = public_addresses_only

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if not self._buckets.take(self._longest_wait):
            raise Throttled("the provider's limit leaves no room now", after=1.0)
        if self._public_only:
            _pin_public_address(request)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def make_client(
    buckets: TokenBuckets,
    *,
    public_addresses_only: bool,
    longest_wait: float = LONGEST_WAIT,
    transport: httpx2.BaseTransport | None = None,
) -> httpx2.Client:
    """A client for one integration; its requests raise `Throttled` when they would wait too long.

    :param longest_wait: seconds that a request may wait for its turn.
    :param transport: in place of the network, for tests.
    """
    inner = transport if transport is not None else httpx2.HTTPTransport()
    return httpx2.Client(
        transport=GuardedTransport(
            inner, buckets, public_addresses_only=public_addresses_only, longest_wait=longest_wait
        ),
        timeout=_TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "customer-interactions"},
    )


def public_address(host: str, port: int) -> str:
    """An address of a host that is reached over the public internet.

    :raises Reject: ``private_address``: one of its addresses is private, loopback, link-local or reserved.
    :raises Retry: the name cannot be resolved now.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Retry(f"the host's name cannot be resolved: {error.strerror}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not _is_public(address):
            raise Reject("private_address", "the address leads into a private network; use a public one")
    return addresses[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _LOCAL_NAT64:
            return False
        within = address.ipv4_mapped or address.sixtofour
        if within is None and any(address in network for network in _CARRYING_IPV4):
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None and not within.is_global:
            return False
    return address.is_global and not address.is_multicast


def _pin_public_address(request: httpx2.Request) -> None:
    url = request.url
    if url.scheme != "https":
        raise Reject("insecure_url", "only https addresses are used")
    address = public_address(url.host, url.port or 443)
    # The certificate is still checked against the name; only the connection goes to the address.
    request.extensions = {**request.extensions, "sni_hostname": url.host}
    request.headers["Host"] = url.netloc.decode()
    request.url = url.copy_with(host=address)
