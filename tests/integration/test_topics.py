"""The topic catalogue on a real broker: topics created once, differences found, roles refused to start."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from runtime.kafka import make_admin, make_producer
from runtime.settings import Settings
from runtime.topic_states import topic_states
from runtime.topics import check_topics, ensure_topics, existing_topics, require_topics, topic_configs
from schemas.errors import Retry, Stop
from schemas.topics import COMMANDS, EVENTS, INTERACTION_STATE, RESULTS, STATE_TOPICS, TOPICS
from tests.harness.roles import wait_until


@pytest.fixture
def bare_settings(embedded_stack: Settings) -> Iterator[Settings]:
    """An unused topic prefix; its topics are deleted afterwards."""
    settings = embedded_stack.model_copy(update={"topic_prefix": f"t{uuid.uuid4().hex[:12]}."})
    yield settings
    admin = make_admin(settings)
    mine = [name for name in existing_topics(admin) if name.startswith(settings.topic_prefix)]
    if mine:
        for future in admin.delete_topics(mine).values():
            future.result()


def alter(settings: Settings, topic: str, setting: str, value: str) -> None:
    admin = make_admin(settings)
    name = settings.topic(topic)
    change = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[change])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()
    deadline = time.monotonic() + 10
    while topic_configs(admin, [name])[name][setting] != value:
        assert time.monotonic() < deadline, "the broker did not take the setting"


def findings(settings: Settings) -> dict[tuple[str, str], tuple[str | None, str]]:
    prefix = settings.topic_prefix
    return {
        (finding.topic.removeprefix(prefix), finding.setting): (finding.found, finding.severity)
        for finding in check_topics(settings)
    }


def test_missing_topics_stop_a_role_and_are_created_once(bare_settings: Settings) -> None:
    assert len(findings(bare_settings)) == len(TOPICS)
    with pytest.raises(Stop, match=r"commands is missing\. Create it with: interactions topics --create"):
        require_topics(bare_settings)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ensure_topics(bare_settings), range(4)))
    assert sorted(name for names in made for name in names) == sorted(
        bare_settings.topic(topic.name) for topic in TOPICS
    )
    assert ensure_topics(bare_settings) == []
    assert check_topics(bare_settings) == []
    require_topics(bare_settings)
    configs = topic_configs(make_admin(bare_settings), [bare_settings.topic(COMMANDS)])
    assert configs[bare_settings.topic(COMMANDS)]["message.timestamp.type"] == "LogAppendTime"


def test_created_topics_are_usable_at_once(embedded_stack: Settings) -> None:
    # A broker learns of topics some time after the controller acknowledged them; longest after a deletion.
    for _ in range(3):
        settings = embedded_stack.model_copy(update={"topic_prefix": f"t{uuid.uuid4().hex[:12]}."})
        made = ensure_topics(settings)
        admin = make_admin(settings)
        assert set(made) <= existing_topics(admin).keys()
        for future in admin.delete_topics(made).values():
            future.result()


@pytest.mark.parametrize(
    ("topic", "setting", "value"),
    [
        (COMMANDS, "message.timestamp.type", "CreateTime"),
        (INTERACTION_STATE, "cleanup.policy", "delete"),
    ],
)
def test_a_wrong_clock_or_clean_up_stops_a_role(
    fresh_settings: Settings, topic: str, setting: str, value: str
) -> None:
    alter(fresh_settings, topic, setting, value)
    assert findings(fresh_settings) == {(topic, setting): (value, "fatal")}
    with pytest.raises(Stop, match=rf"{setting} is {value}, expected"):
        require_topics(fresh_settings)
    # Topic settings are never corrected without the operator.
    assert ensure_topics(fresh_settings) == []
    assert findings(fresh_settings) == {(topic, setting): (value, "fatal")}


def test_retention_and_partitions_are_warnings(
    fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    alter(fresh_settings, EVENTS, "retention.ms", "3600000")
    assert findings(fresh_settings) == {(EVENTS, "retention.ms"): ("3600000", "warning")}
    more = fresh_settings.model_copy(update={"topic_partitions": fresh_settings.topic_partitions + 1})
    counts = [finding for finding in check_topics(more) if finding.setting == "partitions"]
    assert len(counts) == sum(topic.partitions == "topic_partitions" for topic in TOPICS)
    assert all("INTERACTIONS_TOPIC_PARTITIONS" in finding.advice for finding in counts)
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr("runtime.topics._log.warning", lambda _, **fields: seen.append(fields))
    require_topics(more)
    assert len(seen) == len(counts) + 1
    assert ensure_topics(more) == []


def test_topics_of_an_older_deployment_keep_their_partitions(fresh_settings: Settings) -> None:
    """Defaults are for new topics; what an operator chose is compared."""
    names = [fresh_settings.topic(name) for name in (RESULTS, INTERACTION_STATE)]
    admin = make_admin(fresh_settings)
    for future in admin.create_partitions([NewPartitions(name, 6) for name in names]).values():
        future.result()
    wait_until(lambda: all(existing_topics(admin).get(name) == 6 for name in names), 30)
    assert check_topics(fresh_settings) == []
    chosen = fresh_settings.model_copy(update={"results_partitions": 2, "state_partitions": 6})
    found = {finding.topic for finding in check_topics(chosen)}
    others = (name for name in STATE_TOPICS if name != INTERACTION_STATE)
    assert found == {fresh_settings.topic(name) for name in (RESULTS, *others)}


def test_states_count_records(fresh_settings: Settings) -> None:
    producer = make_producer(fresh_settings)
    for number in range(7):
        producer.produce(fresh_settings.topic(EVENTS), b"{}", str(number).encode())
    assert producer.flush(20) == 0
    states = {state.name: state for state in topic_states(fresh_settings)}
    assert list(states) == [fresh_settings.topic(topic.name) for topic in TOPICS]
    events = states[fresh_settings.topic(EVENTS)]
    assert (events.records, events.cleanup, events.retention_ms) == (7, "delete", 30 * 86_400_000)
    compacted = states[fresh_settings.topic(INTERACTION_STATE)]
    assert (compacted.records, compacted.cleanup, compacted.retention_ms) == (0, "compact", None)


def test_an_unreachable_broker_is_retried(embedded_stack: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.topics._SECONDS", 0.5)
    nowhere = embedded_stack.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    for question in (ensure_topics, check_topics, require_topics):
        with pytest.raises(Retry, match="Is the broker up"):
            question(nowhere)
