"""Public and private IP addresses, independent of the Python version."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from connectors.sdk.addresses import is_public, public_addresses
from schemas.errors import Reject, Retry


@pytest.mark.parametrize(
    "address",
    [
        "0.1.2.3",
        "10.0.0.1",
        "100.127.255.255",
        "127.255.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.10",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.19.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.251",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:0:a00:1::",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:a00:1::",
        "2002:a9fe:a9fe::",
        "2606:4700::5efe:10.0.0.1",
        "2606:4700::200:5efe:192.168.0.1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "fec0::1",
        "feff:ffff::1",
        "ff02::1",
        "not an address",
        "",
    ],
)
def test_an_address_that_is_not_public_is_told(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.215.14",
        "192.0.1.1",
        "223.255.255.255",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2001:200::1",
        "2002:101:101::1",
        "2606:2800:21f::1",
        "2a00:1450::1",
    ],
)
def test_a_public_address_is_told(address: str) -> None:
    assert is_public(address)


def test_one_private_address_among_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(_host: str, port: int, **_: Any) -> Any:
        return [(0, 0, 0, "", (address, port, 0, 0)) for address in ("2606:2800:21f::1", "fec0::1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with pytest.raises(Reject, match="private address"):
        public_addresses("hooks.example", 443)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 300, "a..b"])
def test_a_name_that_cannot_be_resolved_is_tried_again(host: str) -> None:
    with pytest.raises(Retry, match="cannot be resolved"):
        public_addresses(host, 443)
