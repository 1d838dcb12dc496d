"""Send one command with plain ``confluent-kafka`` and wait for its result.

The consumer takes its position at the end of the results topic *before* the command is sent, so the
result cannot be missed.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

SERVERS = os.environ["INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS"]
PREFIX = os.environ.get("INTERACTIONS_TOPIC_PREFIX", "")
COMMANDS, RESULTS = f"{PREFIX}customers.interactions.commands", f"{PREFIX}customers.interactions.results"

customer = str(uuid.uuid4())
command: dict[str, Any] = {
    "specversion": "1.0",
    "id": str(uuid.uuid4()),  # a retry with the same id has no further effect
    "source": "urn:example:program",
    "type": "customers.entity.upsert",
    "tenantid": str(uuid.uuid4()),
    "organizationid": str(uuid.uuid4()),
    "entityid": customer,
    "data": {"id": customer, "kind": "company", "displayName": "Amber Mill Foods"},
}

results = Consumer({"bootstrap.servers": SERVERS, "group.id": "unused", "isolation.level": "read_committed"})
partitions = [
    TopicPartition(RESULTS, number) for number in results.list_topics(RESULTS).topics[RESULTS].partitions
]
results.assign(
    [TopicPartition(RESULTS, p.partition, results.get_watermark_offsets(p)[1]) for p in partitions]
)

producer = Producer(
    {"bootstrap.servers": SERVERS, "enable.idempotence": True, "partitioner": "murmur2_random"}
)
producer.produce(COMMANDS, key=customer, value=json.dumps(command))
assert producer.flush(30) == 0, "Kafka has not acknowledged the command; it may not have been sent"

deadline = time.monotonic() + 30
outcome = None
while outcome is None and time.monotonic() < deadline:
    message = results.poll(0.5)
    if message is not None and message.error() is None:
        headers: dict[str, Any] = dict(message.headers() or [])
        if headers.get("ce_causationid") == command["id"].encode():
            outcome = headers["ce_outcome"].decode()
results.close()
print(outcome or "No result within 30 s. Is the applier running?")
