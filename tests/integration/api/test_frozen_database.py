"""An unresponsive database that closes no connection: every request is answered within its deadline."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from runtime.settings import Settings
from tests.harness.gateway import Gateway, new_customer, serving
from tests.harness.roles import wait_until
from tests.harness.tcp_proxy import TcpProxy
from tests.harness.wire import new_id

pytestmark = pytest.mark.integration
PATH: Final = "/api/customers/interactions"
_SECONDS: Final = "1"


@contextmanager
def behind_a_proxy(pipeline: Settings) -> Iterator[tuple[Gateway, TcpProxy]]:
    """A gateway whose database can be frozen on its own."""
    assert pipeline.database_url is not None
    url = urlsplit(pipeline.database_url.get_secret_value())
    assert url.port is not None
    with TcpProxy(url.port) as proxy:
        through = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{proxy.port}")).geturl()
        settings = pipeline.model_copy(update={"database_url": SecretStr(through)})
        with serving(
            settings,
            INTERACTIONS_API_READ_TIMEOUT_SECONDS=_SECONDS,
            INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS=_SECONDS,
            INTERACTIONS_API_POOL_SIZE="3",
        ) as gateway:
            yield gateway, proxy


def test_every_request_is_answered_and_the_pool_recovers(pipeline: Settings) -> None:
    with behind_a_proxy(pipeline) as (gateway, proxy), gateway.client() as client:
        customer = new_customer(client, pipeline)
        made = client.post(PATH, json={"entityId": customer, "interactionType": "call"})
        assert made.status_code == 201
        call = made.json()["id"]
        proxy.silence()
        requests: list[tuple[str, str, dict[str, Any]]] = [
            ("GET", "/readyz", {}),
            ("GET", PATH, {"params": {"entityId": customer}}),
            ("PUT", PATH, {"json": {"id": call, "priority": 1}}),
            ("GET", f"/api/customers/people/{customer}", {}),
            ("GET", "/api/customers/flags", {}),
        ]
        # More concurrent requests than the pool has connections, each bounded by the client's 30 s.
        with ThreadPoolExecutor(len(requests)) as threads:
            answers = threads.map(lambda one: client.request(one[0], one[1], **one[2]), requests)
            assert [answer.status_code for answer in answers] == [503] * len(requests)
        assert client.get("/healthz").status_code == 200
        sent = client.post(PATH, json={"entityId": customer, "interactionType": "call", "id": new_id()})
        assert sent.status_code in {201, 504}, "the outcome comes by the results topic, or is not known"
        proxy.heal()
        wait_until(lambda: client.get("/readyz").status_code == 200, 30)
        assert client.get(f"{PATH}/{call}").status_code == 200
