"""Read the topics: committed records, decoded, from chosen offsets, in no consumer group."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import fastavro
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient

from .records import INTERACTION_STATE, Record
from .tables import Positions

_SECONDS = 30.0


@dataclass
class Batch:
    """Records in the order of their partitions.

    :ivar positions: topic and partition → offset that follows the records.
    :ivar newest_state: timestamp of the newest record of the interactions' state topic.
    """

    records: list[Record] = field(default_factory=list)
    positions: dict[tuple[str, int], int] = field(default_factory=dict)
    newest_state: datetime | None = None


class Topics:
    """The topics of one deployment.

    :param prefix: prefix of all topic names; the names in this package are without it.
    """

    def __init__(self, servers: str, registry_url: str, prefix: str) -> None:
        self._prefix = prefix
        self._registry = SchemaRegistryClient({"url": registry_url})
        self._schemas: dict[int, Any] = {}
        options = {
            "bootstrap.servers": servers,
            "group.id": "read-model",  # required by the client, but not used
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            # Never skip records that retention has deleted: without them the tables would be wrong.
            "auto.offset.reset": "error",
        }
        self._consumer = Consumer({**options, "isolation.level": "read_committed"})
        # Hazard: only this one sees open transactions. One that spans several topics becomes visible in one
        # partition earlier than in another, so the end of what is visible is not the same moment everywhere.
        self._uncommitted = Consumer({**options, "isolation.level": "read_uncommitted"})

    def close(self) -> None:
        """Close the clients."""
        self._consumer.close()
        self._uncommitted.close()
        self._registry.close()

    def ends(self, topics: Iterable[str]) -> Positions:
        """Return the end of each partition, behind the records of open transactions."""
        return {at: self._bounds(at)[1] for topic in topics for at in self._partitions(topic)}

    def offsets_since(self, topic: str, instant: datetime | None) -> Positions:
        """Return the offset of the first record since an instant, or the end; for ``None`` the start."""
        partitions = self._partitions(topic)
        if instant is None:
            return {at: self._bounds(at)[0] for at in partitions}
        ends = self.ends([topic])  # Hazard: first. A record that arrives in between must not be skipped.
        millis = int(instant.timestamp() * 1000)
        wanted = [TopicPartition(self._prefix + topic, number, millis) for _, number in partitions]
        found = self._uncommitted.offsets_for_times(wanted, timeout=_SECONDS)
        offsets = {(topic, it.partition): it.offset for it in found}
        return {at: offsets[at] if offsets[at] >= 0 else ends[at] for at in partitions}

    def assign(self, positions: Positions) -> None:
        """Read these partitions from now on, from these offsets."""
        self._consumer.assign(
            [
                TopicPartition(self._prefix + topic, partition, offset)
                for (topic, partition), offset in positions.items()
            ]
        )

    def take(self, size: int, seconds: float = 0.2) -> Batch:
        """Return the records that arrive within a time, at most ``size``.

        :raises SystemExit: retention has deleted records that were not read.
        """
        batch = Batch()
        messages: list[Any] = self._consumer.consume(size, seconds)
        for message in messages:
            topic, partition = message.topic().removeprefix(self._prefix), message.partition()
            error = message.error()
            if error is None:
                record = self._decode(topic, message)
                batch.records.append(record)
                batch.positions[topic, partition] = record.offset + 1
                if topic == INTERACTION_STATE:
                    written = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
                    batch.newest_state = max(batch.newest_state or written, written)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - a public constant
                # The offset is behind the transaction markers, which are not returned.
                batch.positions[topic, partition] = message.offset()
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
                raise SystemExit(
                    f"{topic}, partition {partition}: records that were not read yet have been deleted."
                    " The tables cannot be continued. Delete the file and start over."
                )
            else:
                raise KafkaException(error)
        return batch

    def _decode(self, topic: str, message: Any) -> Record:
        headers = dict(message.headers())
        value = message.value()
        return Record(
            topic,
            message.offset(),
            message.key().decode(),
            headers["ce_type"].decode(),
            self._decode_value(value) if value is not None else None,
        )

    def _decode_value(self, value: bytes) -> Any:
        """Decode the Confluent wire format: a zero byte, the schema's id in four bytes, the Avro body."""
        schema_id = int.from_bytes(value[1:5], "big")
        if schema_id not in self._schemas:
            schema = json.loads(self._registry.get_schema(schema_id).schema_str or "")
            self._schemas[schema_id] = fastavro.parse_schema(schema, named_schemas={})
        return fastavro.schemaless_reader(BytesIO(value[5:]), self._schemas[schema_id], None)

    def _partitions(self, topic: str) -> list[tuple[str, int]]:
        """List the partitions of a topic.

        :raises SystemExit: it does not exist.
        """
        name = self._prefix + topic
        found = self._uncommitted.list_topics(name, timeout=_SECONDS).topics[name]
        if found.error is not None:
            raise SystemExit(f"There is no topic {name}. Is the topic prefix right?")
        return [(topic, number) for number in sorted(found.partitions)]

    def _bounds(self, at: tuple[str, int]) -> tuple[int, int]:
        """Return the first offset and the end of a partition."""
        partition = TopicPartition(self._prefix + at[0], at[1])
        return self._uncommitted.get_watermark_offsets(partition, timeout=_SECONDS)
