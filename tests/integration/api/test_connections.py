"""Idle timeouts of connections."""

from __future__ import annotations

import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.harness.gateway import Gateway

pytestmark = pytest.mark.integration
#: Default keep-alive of clients and servers. The client must be the side that closes first.
USUAL_SECONDS = 5.0


def test_idle_connections_outlive_the_keep_alive_of_clients(gateway: Gateway) -> None:
    address = urlsplit(gateway.url)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=10)
    connection.connect()
    kept = connection.sock
    for idle in (0.0, USUAL_SECONDS + 1.0):
        time.sleep(idle)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    # If the server had closed the connection, the client would have opened another.
    assert connection.sock is kept
    connection.close()
