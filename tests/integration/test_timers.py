"""``due`` and ``overdue`` are published once per schedule, and again after a reschedule."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import EVENTS
from stack.ports import free_port
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


@pytest.fixture
def refused(fresh_settings: Settings) -> Iterator[tuple[Settings, str, str]]:
    """Plan two calls for the past; the pipeline fails on each mark of the first. Appliers run."""
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
    now = datetime.now(UTC)
    planned = [
        {"id": it, "interactionType": "call", "title": title, "scheduledAt": at.isoformat()}
        for it, title, at in (
            (first, "bad", now - timedelta(minutes=2)),
            (second, "good", now - timedelta(minutes=1)),
        )
    ]
    with running(settings, "applier"):
        outcomes(
            settings,
            [
                event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}),
                *(event("interaction.create", entity, data) for data in planned),
            ],
        )
        yield settings, first, second


def _phases(settings: Settings) -> dict[str, int]:
    with connect(settings, application_name="test", autocommit=True) as connection:
        return dict(connection.execute("SELECT id::text, due_phase FROM customer_interactions").fetchall())


def test_interactions_that_cannot_be_marked_hide_no_other(
    refused: tuple[Settings, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers_module, "_PAGE", 1)
    monkeypatch.setattr(repeats, "_PATIENT", 1)
    settings, first, second = refused
    stop = threading.Event()
    thread = threading.Thread(target=Timers(settings, Heartbeat(), stop).run)
    thread.start()
    try:
        wait_until(lambda: _phases(settings) == {first: 0, second: 1}, 30, lambda: str(_phases(settings)))
    finally:
        stop.set()
        thread.join(30)


def test_a_missing_mark_is_reported_by_the_role(refused: tuple[Settings, str, str]) -> None:
    settings, first, second = refused
    port = str(free_port())

    def reasons() -> str:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).text

    with running(settings, "timers", INTERACTIONS_STUCK_AFTER_SECONDS="2", INTERACTIONS_HEALTH_PORT=port):
        wait_until(lambda: _phases(settings)[second] == 1, 30)

        wait_until(lambda: f"Interaction {first} is due and not marked so" in reasons(), 30, reasons)
        assert second not in reasons()
