"""How long a connection may be idle."""

from __future__ import annotations

import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.harness.gateway import Gateway

pytestmark = pytest.mark.integration
#: What clients and servers keep unless told otherwise; whoever closes first must be the client.
USUAL_SECONDS = 5.0


def test_a_connection_outlives_what_clients_keep(gateway: Gateway) -> None:
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
    # A connection that the server had closed would have been opened again.
    assert connection.sock is kept
    connection.close()
