"""Distinguish public IP addresses from private and special-purpose ones (IANA special-purpose registries).

The ranges are listed here because ``ipaddress.is_global`` differs between the supported Python versions.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from runtime.bounded_call import within
from schemas.errors import Reject, Retry

_RESOLVE_SECONDS: Final = 5.0
_NOT_PUBLIC_IPV4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, cloud metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
#: Global unicast (RFC 4291); site-local ``fec0::/10`` (RFC 3879), ``fc00::/7`` and the others are outside.
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_IPV6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, with Teredo
        "2001:db8::/32",
        "3fff::/20",
    )
)
#: Prefixes with an IPv4 address in the last four bytes: mapped (RFC 4291) and translated (RFC 6052).
_CARRYING_IPV4: Final = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
_6TO4: Final = ipaddress.IPv6Network("2002::/16")
#: ISATAP interface identifiers (RFC 5214 section 6.1); the IPv4 address follows.
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})


def resolve(host: str, port: int, seconds: float = _RESOLVE_SECONDS) -> list[str]:
    """Resolve a host name to all of its addresses.

    :raises OSError: the name is unknown.
    :raises UnicodeError: the text is not a valid host name.
    :raises CallTimeout: the resolver did not answer in time.
    """

    def look_up() -> list[str]:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]

    return within(seconds, f"the look-up of {host}", look_up)


def public_addresses(host: str, port: int) -> list[str]:
    """Resolve a host name to its addresses on the public internet, at least one.

    :raises Reject: ``private_address``: any of its addresses is private, loopback, link-local or reserved.
    :raises Retry: the name cannot be resolved at the moment.
    """
    try:
        addresses = resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise Retry(f"the host name {host} cannot be resolved ({type(error).__name__})") from error
    if not addresses:
        raise Retry(f"the host name {host} has no address")
    for address in addresses:
        if not is_public(address):
            raise Reject("private_address", "the host resolves to a private address; use a public host")
    return list(dict.fromkeys(addresses))


def is_public(text: str) -> bool:
    """Return whether an address is public, including any IPv4 address embedded in it."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_IPV4)
    number = int(address)
    if any(address in network for network in _CARRYING_IPV4):
        return is_public(str(ipaddress.IPv4Address(number & 0xFFFFFFFF)))
    if address not in _UNICAST or any(address in network for network in _NOT_PUBLIC_IPV6):
        return False
    if address in _6TO4:
        return is_public(str(ipaddress.IPv4Address((number >> 80) & 0xFFFFFFFF)))
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return is_public(str(ipaddress.IPv4Address(number & 0xFFFFFFFF)))
    return True
