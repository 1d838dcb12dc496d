"""``due`` and ``overdue`` are published once per schedule, and again after a reschedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runtime.settings import Settings
from schemas.topics import EVENTS
from tests.harness.audit import assert_clean
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import event, new_id, outcomes

pytestmark = pytest.mark.integration


def _facts(settings: Settings, interaction: str) -> list[str]:
    return [
        record.headers["ce_type"].rpartition(".")[2]
        for record in read_topic(settings, EVENTS)
        if record.headers["ce_subject"] == interaction
    ]


def test_once_per_schedule(fresh_settings: Settings) -> None:
    settings = fresh_settings.model_copy(update={"overdue_after_seconds": 1})
    entity, interaction, later = new_id(), new_id(), new_id()
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    future = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with running(settings, "applier"), running(settings, "relay"), running(settings, "timers"):
        outcomes(
            settings,
            [
                event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}),
                event(
                    "interaction.create",
                    entity,
                    {"id": interaction, "interactionType": "call", "scheduledAt": past},
                ),
                event(
                    "interaction.create",
                    entity,
                    {"id": later, "interactionType": "call", "scheduledAt": future},
                ),
            ],
        )
        expected = ["created", "due", "overdue"]
        wait_until(
            lambda: _facts(settings, interaction) == expected, 30, lambda: str(_facts(settings, interaction))
        )
        # Moved away and back to the same instant: a new schedule.
        for instant in (future, past):
            outcomes(
                settings, [event("interaction.update", entity, {"id": interaction, "scheduledAt": instant})]
            )
        expected += ["updated", "updated", "due", "overdue"]
        wait_until(
            lambda: _facts(settings, interaction) == expected, 30, lambda: str(_facts(settings, interaction))
        )
        outcomes(settings, [event("interaction.complete", entity, {"id": interaction})])
        assert_clean(settings)
    assert _facts(settings, interaction) == [*expected, "completed"]
    assert _facts(settings, later) == ["created"]
