"""Rows that were stored before the topics of customers, deals and types existed are published once."""

from __future__ import annotations

import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import DEAL_STATE, ENTITY_STATE, EVENTS, RELAY_POSITION, TYPE_STATE
from streams.relay.checkpoint import STORED_SHARD
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import event, new_id, outcomes

pytestmark = pytest.mark.integration


def test_a_relay_that_leads_for_the_first_time_publishes_stored_rows(fresh_settings: Settings) -> None:
    settings = fresh_settings.model_copy(update={"batch_size": 2})  # several pages
    customers, deal = [new_id() for _ in range(5)], new_id()
    with running(settings, "applier"):
        for customer in customers:
            data = {"id": customer, "kind": "person", "displayName": "Ada"}
            outcomes(settings, [event("entity.upsert", customer, data)])
        outcomes(settings, [event("deal.upsert", customers[0], {"id": deal, "title": "Renewal"})])
        outcomes(settings, [event("interaction.create", customers[0], {"interactionType": "call"})])
    with connect(settings, application_name="test", autocommit=True) as connection:
        connection.execute("TRUNCATE journal")  # as if an earlier version had published all of it

    def keys(topic: str) -> list[bytes | None]:
        return [record.key for record in read_topic(settings, topic)]

    for _ in range(2):  # the second relay finds that it is done
        with running(settings, "relay"):
            wait_until(lambda: STORED_SHARD.encode() in keys(RELAY_POSITION), 30)
    assert sorted(key or b"" for key in keys(ENTITY_STATE)) == sorted(c.encode() for c in customers)
    assert keys(DEAL_STATE) == [deal.encode()]
    assert {(key or b"").rpartition(b"/")[2] for key in keys(TYPE_STATE)} >= {b"call", b"email", b"meeting"}
    assert keys(EVENTS) == []
