"""Results by NOTIFY: early, true, and never required."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import RESULTS
from sinks.notify import Notice, notify_committed
from sinks.notify import outcomes as told
from tests.harness.gateway import new_customer, serving
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic

pytestmark = pytest.mark.integration
PATH = "/api/customers/interactions"
_LISTENERS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE application_name = 'interactions-gateway-outcomes' AND datname = current_database()"
)


def _answers(settings: Settings, entity: str) -> list[str]:
    return [
        record.headers["ce_type"]
        for record in read_topic(settings, RESULTS)
        if record.headers.get("ce_entityid") == entity and record.headers.get("ce_actorid") is not None
    ]


def _rows(settings: Settings, query: str, *arguments: object) -> list[int]:
    with connect(settings, application_name="tests", autocommit=True) as connection:
        return [int(row[0]) for row in connection.execute(query.encode(), arguments).fetchall()]


def test_a_committed_write_is_confirmed_although_its_result_was_never_produced(world: Settings) -> None:
    # The timeout is long, so that the lookup in the command log cannot be what answers the request.
    with (
        serving(world, INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="60") as gateway,
        gateway.client() as client,
    ):
        with running(world, "applier"):
            entity = new_customer(client, world)
        point = {
            "INTERACTIONS_TEST_BUILD": "1",
            "INTERACTIONS_CRASH_POINT": "after-commit-before-results",
        }
        wait_until(lambda: len(_rows(world, _LISTENERS)) == 1, 20)
        with running(world, "applier", **point) as victim:
            made = client.post(PATH, json={"entityId": entity, "interactionType": "call"}, timeout=30)
            victim.wait_for_exit()
        assert made.status_code == 201, made.text
        assert _rows(
            world, "SELECT count(*) FROM customer_interactions WHERE id = %s", made.json()["id"]
        ) == [1]
        before = len(_answers(world, entity))
        with running(world, "applier"):  # the next applier produces it, once
            wait_until(lambda: len(_answers(world, entity)) == before + 1, 30)


def test_writes_continue_without_notifications(world: Settings) -> None:
    with running(world, "applier"), serving(world) as gateway, gateway.client() as client:
        entity = new_customer(client, world)
        wait_until(lambda: len(_rows(world, _LISTENERS)) == 1, 20)
        (listener,) = _rows(world, _LISTENERS)
        _rows(world, "SELECT pg_terminate_backend(%s)::int", listener)
        assert _confirmed(client, entity)
        wait_until(lambda: _rows(world, _LISTENERS) not in ([], [listener]), 20)
        assert "gateway.notices_unavailable" in gateway.role.log
        assert _confirmed(client, entity)


def _confirmed(client: httpx2.Client, entity: str) -> bool:
    return client.post(PATH, json={"entityId": entity, "interactionType": "call"}).status_code == 201


def test_an_oversized_notification_does_not_hold_back_others(world: Settings) -> None:
    long, short = Notice("long", b"x" * 6_000), Notice("a short one", bytes(range(256)))

    async def first() -> Notice:
        heard = told(world)
        waiting = asyncio.ensure_future(anext(heard))
        while not await asyncio.to_thread(_rows, world, _LISTENERS):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
        await asyncio.to_thread(_notify)
        found = await asyncio.wait_for(waiting, 10)
        await heard.aclose()  # type: ignore[attr-defined]
        return found

    def _notify() -> None:
        with connect(world, application_name="tests", autocommit=True) as connection:
            notify_committed(connection, [long, short])

    assert asyncio.run(first()) == short
