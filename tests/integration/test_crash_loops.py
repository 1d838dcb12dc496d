"""Crash loops: no record is lost or skipped, and none ends the applier indefinitely."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from runtime.kafka import make_admin
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import DEAD_LETTERS, RESULTS
from tests.harness.audit import assert_clean
from tests.harness.crashing_role import CRASHES
from tests.harness.roles import Role, running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import decoder, event, new_id, publish, wait_for_results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
_ROLE = "tests.harness.crashing_role"


def _create(entity: str, title: str) -> dict[str, Any]:
    return event("interaction.create", entity, {"interactionType": "call", "title": title})


@pytest.mark.long
def test_a_crash_loop_of_one_record_ends(fresh_settings: Settings) -> None:
    settings, entity = fresh_settings, new_id()
    bad = _create(entity, CRASHES)
    messages = [event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})]
    messages += [_create(entity, "fine") for _ in range(60)]
    messages += [bad, _create(entity, "fine")]
    places, starts, isolated = publish(settings, messages), 0, False

    def ended(role: Role) -> bool:
        return role.process.poll() is not None or "applier.isolated" in role.log

    while not isolated:
        with running(settings, "applier", _ROLE) as applier:
            starts += 1
            wait_until(partial(ended, applier), 60)
            isolated = applier.process.poll() is None
            assert isolated or applier.process.poll() == 139
            if isolated:
                wait_for_results(settings, places)
    assert starts == 6, "at the place, in its group, and three times alone"
    results = wait_for_results(settings, places)
    outcomes = [record.headers["ce_outcome"] for record in results]
    at = messages.index(bad)
    assert [n for n, outcome in enumerate(outcomes) if outcome != "applied"] == [at]
    _, result = decoder(settings).decode(results[at].value or b"")
    assert result["problem"]["code"] == "internal_error"
    (dead_letter,) = read_topic(settings, DEAD_LETTERS)
    assert (dead_letter.key, dead_letter.headers["dl_error_class"]) == (entity.encode(), "internal_error")
    assert bad["id"].encode() in (dead_letter.value or b"")
    with running(settings, "relay"):
        assert_clean(settings)


@pytest.mark.long
def test_kills_without_a_record_to_blame_isolate_nothing(fresh_settings: Settings) -> None:
    settings, entity = fresh_settings, new_id()
    for _ in range(3):
        with running(settings, "applier") as applier:
            applier.wait_for_log("applier.assigned")
            applier.kill()
    messages = [event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})]
    messages += [_create(entity, "fine") for _ in range(60)]
    with running(settings, "applier"):
        places = publish(settings, messages)
        results = wait_for_results(settings, places)
    assert {record.headers["ce_outcome"] for record in results} == {"applied"}
    with connect(settings, application_name="test") as connection:
        row = connection.execute("SELECT max(starts), sum(failures) FROM applier_attempts").fetchone()
    assert row is not None
    assert row[0] <= 1, "nothing waited where those before began"
    assert row[1] == 0


@pytest.mark.long
def test_offsets_never_pass_results_that_cannot_be_published(fresh_settings: Settings) -> None:
    settings, entities = fresh_settings, [new_id() for _ in range(20)]
    messages = [
        event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})
        for entity in entities
    ]
    _limit_results(settings, "200")  # transaction markers still fit
    with running(settings, "applier") as applier:
        places = publish(settings, messages)
        assert applier.wait_for_exit() == 2
        assert "cannot be published even without its details (MSG_SIZE_TOO_LARGE)" in applier.log
    _limit_results(settings, "1048588")
    with running(settings, "applier"), running(settings, "relay"):
        results = wait_for_results(settings, places)
        assert {record.headers["ce_outcome"] for record in results} == {"applied"}
        assert_clean(settings)


def _limit_results(settings: Settings, most: str) -> None:
    change = ConfigEntry("max.message.bytes", most, incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, settings.topic(RESULTS), incremental_configs=[change])
    admin = make_admin(settings)  # without a reference it is closed before it answers
    for future in admin.incremental_alter_configs([topic]).values():
        future.result()
