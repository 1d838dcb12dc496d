"""State of the catalogue's topics on the broker, for display."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from runtime.kafka import make_admin
from runtime.settings import Settings
from runtime.topics import TopicFinding, broker_error, check_topics, existing_topics, topic_configs
from schemas.topics import TOPICS

_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """State of one topic.

    :param name: full name on the broker.
    :param partitions: number of partitions; ``None`` when the topic is missing.
    :param cleanup: ``delete``, ``compact`` or both.
    :param retention_ms: retention in milliseconds; ``None`` when unlimited or determined by compaction.
    :param records: end offsets minus start offsets; this counts compacted records and transaction markers.
    :param findings: differences from the catalogue.
    """

    name: str
    partitions: int | None = None
    cleanup: str | None = None
    retention_ms: int | None = None
    records: int | None = None
    findings: tuple[TopicFinding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON form of the state, as shown by ``interactions topics --json``."""
        return {
            "name": self.name,
            "partitions": self.partitions,
            "cleanup": self.cleanup,
            "retentionMs": self.retention_ms,
            "records": self.records,
            "findings": [finding.to_json() for finding in self.findings],
        }


def topic_states(settings: Settings) -> list[TopicState]:
    """State of every topic of the catalogue, in its order, including missing ones.

    :raises Retry: the broker is unavailable.
    :raises Stop: the broker refuses to describe its topics.
    """
    findings = check_topics(settings)
    admin = make_admin(settings)
    names = [settings.topic(topic.name) for topic in TOPICS]
    counts = {name: count for name, count in existing_topics(admin).items() if name in names}
    configs = topic_configs(admin, list(counts))
    records = _records(admin, counts)
    states = []
    for name in names:
        differing = tuple(finding for finding in findings if finding.topic == name)
        if name not in counts:
            states.append(TopicState(name=name, findings=differing))
            continue
        cleanup = configs[name].get("cleanup.policy", "")
        retention = int(configs[name].get("retention.ms", "-1"))
        states.append(
            TopicState(
                name=name,
                partitions=counts[name],
                cleanup=cleanup,
                retention_ms=retention if retention >= 0 and "delete" in cleanup else None,
                records=records[name],
                findings=differing,
            )
        )
    return states


def _records(admin: AdminClient, counts: dict[str, int]) -> Counter[str]:
    partitions = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
    totals: Counter[str] = Counter(dict.fromkeys(counts, 0))
    if not partitions:
        return totals
    latest, earliest = OffsetSpec.latest(), OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    for sign, spec in ((1, latest), (-1, earliest)):
        asked = admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=_SECONDS)
        for partition, future in asked.items():
            try:
                totals[partition.topic] += sign * future.result().offset
            except KafkaException as failure:
                what = f"the offsets of topic {partition.topic} cannot be read"
                raise broker_error(failure.args[0], what) from failure
    return totals
