"""An audit stays clean when the first month of the journal is dropped, as retention does it."""

from __future__ import annotations

import json
from datetime import date

import pytest
from confluent_kafka import TopicPartition

from runtime.kafka import make_admin
from runtime.postgres import connect
from runtime.settings import Settings
from runtime.topics import existing_topics
from schemas.topics import COMMANDS, EVENTS, RESULTS
from sinks.journal_months import journal_months
from sinks.monthly_partitions import ensure_partitions
from streams.lag import lag_by_role
from tests.harness.audit import assert_clean
from tests.harness.forked import run
from tests.harness.histories import history
from tests.harness.roles import environment, running, wait_until
from tests.harness.wire import event, new_id, outcomes, publish, wait_for_results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def _forget_the_topics(settings: Settings) -> None:
    """Delete all records, as the retention of the topics does long before that of the journal."""
    admin = make_admin(settings)
    numbers = existing_topics(admin)
    asked = [
        TopicPartition(settings.topic(topic), number, -1)
        for topic in (COMMANDS, EVENTS, RESULTS)
        for number in range(numbers[settings.topic(topic)])
    ]
    for future in admin.delete_records(asked).values():
        future.result()


def test_the_audit_of_a_database_without_its_first_month_is_clean(fresh_settings: Settings) -> None:
    settings, deleted, entity = fresh_settings, new_id(), new_id()
    variables = environment(settings)
    call = event("interaction.create", entity, {"id": deleted, "interactionType": "call"})
    with running(settings, "applier"), running(settings, "relay"):
        wait_for_results(settings, publish(settings, history(5, 400, 20, 0.0)))
        first = [
            event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}),
            call,
            event("interaction.delete", entity, {"id": deleted}),
        ]
        assert [it["outcome"] for it in outcomes(settings, first)] == ["applied"] * 3
        wait_until(lambda: lag_by_role(settings)["relay"] == 0, 60)
        assert_clean(settings)
        with connect(settings, application_name="test", autocommit=True) as connection:
            ensure_partitions(connection, date(2024, 1, 15))
            connection.execute("UPDATE journal SET logged_at = '2024-01-15'")
        _forget_the_topics(settings)

        too_short = {**variables, "INTERACTIONS_RETENTION_JOURNAL_DAYS": "89"}
        refused = run(["retention", "apply"], too_short)
        assert refused.returncode == 2, refused.stdout
        assert "INTERACTIONS_RETENTION_JOURNAL_DAYS=89 is below the floor of 90 days" in refused.stderr
        assert run(["retention", "show"], too_short).returncode == 1
        planned = run(["retention", "apply", "--dry-run", "--json"], variables)
        assert planned.returncode == 0, planned.stderr
        going = [it["name"] for it in json.loads(planned.stdout)["months"] if it["drop"]]
        assert going == ["journal_y2023m12", "journal_y2024m01", "journal_y2024m02", "journal_y2024m03"]
        shown = run(["retention", "show"], variables)
        assert shown.returncode == 0, shown.stderr
        assert "journal_y2024m01" in shown.stdout
        done = run(["retention", "apply", "--json"], variables)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["months"] == going
        with connect(settings, application_name="test", autocommit=True) as connection:
            assert not {it.name for it in journal_months(connection)} & set(going)

        # Life goes on with old customers, old commands and a deleted id.
        undo = event("interaction.undo", entity, {"commandId": first[2]["id"]})
        results = outcomes(settings, [undo, call])
        assert [(it["outcome"], it["version"]) for it in results[1:]] == [("applied", 3)]
        assert results[0]["problem"]["code"] == "undo_not_found"
        wait_for_results(settings, publish(settings, history(6, 200, 20, 0.0)))
        wait_until(lambda: lag_by_role(settings)["relay"] == 0, 60)
        assert_clean(settings)
