"""Wall clock steps of an hour in the roles change nothing: the broker's and Postgres' clocks decide."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import EVENTS
from tests.harness.audit import assert_clean
from tests.harness.roles import running, wait_until
from tests.harness.stepping_clock import step, stepping_clock
from tests.harness.topic_reader import read_topic
from tests.harness.wire import event, new_id, outcomes

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(300)]


def test_a_clock_that_steps_changes_nothing(fresh_settings: Settings, tmp_path: Path) -> None:
    settings = fresh_settings
    clock = tmp_path / "clock"
    stepped = stepping_clock(clock)
    if not stepped:
        pytest.skip("stepping the clock of a process needs Linux and a C compiler (cc)")
    entity, soon = new_id(), new_id()
    in_half_an_hour = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()

    def facts(interaction: str) -> list[str]:
        events = read_topic(settings, EVENTS)
        return [e.headers["ce_type"] for e in events if e.headers["ce_subject"] == interaction]

    def create(interaction: str, at: str) -> str:
        data = {"id": interaction, "interactionType": "call", "scheduledAt": at}
        return str(outcomes(settings, [event("interaction.create", entity, data)])[0]["outcome"])

    with (
        running(settings, "applier", **stepped),
        running(settings, "relay", **stepped),
        running(settings, "timers", **stepped) as timers,
    ):
        person = {"id": entity, "kind": "person", "displayName": "A"}
        outcomes(settings, [event("entity.upsert", entity, person)])
        assert create(soon, in_half_an_hour) == "applied"
        for offset in (3600, -3600, 3600):
            step(clock, offset)
            other = new_id()
            assert create(other, past) == "applied"
            # Once overdue ones were found, anything due by a fast clock would have been found too.
            expected = [f"customers.interaction.{kind}" for kind in ("created", "due", "overdue")]
            wait_until(lambda: facts(other) == expected, 40, lambda: str(facts(other)) + timers.log[-2000:])  # noqa: B023
        assert facts(soon) == ["customers.interaction.created"]
        with connect(settings, application_name="test", autocommit=True) as connection:
            row = connection.execute(
                "SELECT max(abs(extract(epoch FROM now() - created_at))) FROM customer_interactions"
            ).fetchone()
        assert row is not None
        assert row[0] < 600
        assert_clean(settings)
