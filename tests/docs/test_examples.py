"""The kcat lines in examples/README.md: the same records published and read without kcat."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from runtime.settings import Settings
from schemas.topics import COMMANDS, RESULTS
from tests.harness.forked import run
from tests.harness.roles import environment, running

pytestmark = pytest.mark.integration
PAGE = (Path(__file__).parents[2] / "examples/README.md").read_text()


def test_the_outcome_of_a_command_from_kcat_is_shown(fresh_settings: Settings) -> None:
    entity = re.search(r"^ENTITY=(\S+)$", PAGE, re.MULTILINE)
    value = re.search(r"^printf .*'(\{.*\})' \\$", PAGE, re.MULTILINE)
    tail = re.search(r"^interactions (tail .*)$", PAGE, re.MULTILINE)
    offset = re.search(r"^kcat .* -C -t (\S+) -o (\S+) -e ", PAGE, re.MULTILINE)
    assert entity is not None
    assert value is not None
    assert tail is not None
    assert offset is not None
    settings, key = fresh_settings, entity[1].encode()
    assert offset[1] == RESULTS
    with running(settings, "applier"):
        producer = Producer(
            {
                "bootstrap.servers": settings.kafka_bootstrap_servers,
                "partitioner": "murmur2_random",
            }
        )
        producer.produce(settings.topic(COMMANDS), value[1].encode(), key)
        assert producer.flush(20) == 0
        arguments = shlex.split(tail[1].replace("$ENTITY", entity[1]))
        shown = run([*arguments, "--json"], environment(settings))
        assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["value"]["outcome"] == "applied"
    assert key in _keys(settings, offset[2])


def _keys(settings: Settings, start: str) -> list[bytes | None]:
    """Keys printed by ``kcat -C -o START -e``; START is ``beginning`` or ``-N`` offsets before the end."""
    topic = settings.topic(RESULTS)
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "group.id": "kcat",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        partitions = consumer.list_topics(topic, 20).topics[topic].partitions
        places = []
        for partition in partitions:
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), 20)
            at = OFFSET_BEGINNING if start == "beginning" else max(0, end + int(start))
            places.append(TopicPartition(topic, partition, at))
        consumer.assign(places)
        ended, keys = 0, []
        while ended < len(partitions):
            message = consumer.poll(20)
            assert message is not None
            error = message.error()
            if error is None:
                keys.append(message.key())
            else:
                assert error.code() == KafkaError._PARTITION_EOF
                ended += 1
    finally:
        consumer.close()
    return keys
