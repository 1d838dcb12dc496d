"""A journal row that cannot be read stops neither the relay nor the watch."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import EVENTS
from sinks.integrity.progress import Progress
from streams.watch.recent import look_at_journal
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import event, new_id, outcomes

pytestmark = pytest.mark.integration


def test_a_row_that_cannot_be_read_is_skipped(fresh_settings: Settings) -> None:
    people = [new_id() for _ in range(3)]
    with running(fresh_settings, "applier"):
        upserts = [
            event("entity.upsert", one, {"id": one, "kind": "person", "displayName": "A"}) for one in people
        ]
        assert {result["outcome"] for result in outcomes(fresh_settings, upserts)} == {"applied"}
    with connect(fresh_settings, application_name="test", autocommit=True) as connection:
        connection.execute(
            """UPDATE journal SET facts = '{"version": "two"}' WHERE entity_id = %s""", (people[1],)
        )
        with capture_logs() as logs:
            look = look_at_journal(connection, Progress(0))
        assert [log["event"] for log in logs] == ["watch.isolated"]
        assert set(look.touched["customer"]) == {people[0], people[2]}

    def published() -> set[bytes | None]:
        return {record.key for record in read_topic(fresh_settings, EVENTS)}

    with running(fresh_settings, "relay") as relay:
        wait_until(lambda: len(published()) == 2, 30, lambda: f"{published()} {relay.log}")
        assert relay.log.count("relay.isolated") == 1
    assert published() == {people[0].encode(), people[2].encode()}
