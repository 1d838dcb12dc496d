"""``due`` and ``overdue`` are published once per schedule, and again after a reschedule."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import EVENTS
from streams.heartbeat import Heartbeat
from streams.timers import repeats
from streams.timers import timers as timers_module
from streams.timers.timers import Timers
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


def test_interactions_that_cannot_be_marked_hide_no_other(
    fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipeline fails on the mark of the interaction that is due first."""
    monkeypatch.setattr(timers_module, "_PAGE", 1)
    monkeypatch.setattr(repeats, "_PATIENT", 1)
    settings, entity, first, second = fresh_settings, new_id(), new_id(), new_id()
    with connect(settings, application_name="test", autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.title = 'bad' AND"
            " NEW.due_phase > 0 THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22003'; END IF;"
            " RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON customer_interactions"
            " FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

        def phase(interaction: str) -> int:
            row = connection.execute(
                "SELECT due_phase FROM customer_interactions WHERE id = %s", (interaction,)
            ).fetchone()
            assert row is not None
            return int(row[0])

        now = datetime.now(UTC)
        planned = [
            {"id": it, "interactionType": "call", "title": title, "scheduledAt": at.isoformat()}
            for it, title, at in (
                (first, "bad", now - timedelta(minutes=2)),
                (second, "good", now - timedelta(minutes=1)),
            )
        ]
        stop = threading.Event()
        with running(settings, "applier"):
            outcomes(
                settings,
                [
                    event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}),
                    *(event("interaction.create", entity, data) for data in planned),
                ],
            )
            thread = threading.Thread(target=Timers(settings, Heartbeat(), stop).run)
            thread.start()
            try:
                wait_until(lambda: phase(second) == 1, 30)
            finally:
                stop.set()
                thread.join(30)
        assert phase(first) == 0
