"""What is audited, as plain data: records of topics, rows of tables, and where the cut lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Row = Mapping[str, Any]
Offsets = dict[int, int]


class Rec(NamedTuple):
    """One committed record as Kafka delivered it.

    :param readable: the client could read its headers: each name is UTF-8.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    readable: bool = True


class RelayPosition(NamedTuple):
    """How far the relay has published the outbox.

    :param floor: all rows of transactions below it; ``ceiling``: end of the window being published;
        ``position``: inside the window, all rows up to here.
    """

    floor: int
    ceiling: int | None
    position: int

    def passed(self, xid: int, position: int) -> bool:
        """Whether a row of the outbox is published."""
        if xid < self.floor:
            return True
        return self.ceiling is not None and xid < self.ceiling and position <= self.position


@dataclass(slots=True, kw_only=True)
class Cut:
    """Where the audited history begins and ends.

    :param group: consumer group of the applier.
    :param commands: full name of the commands topic.
    :param begin: oldest retained offset, by catalogue name of the topic and partition.
    :param end: first offset past the cut, likewise.
    :param committed: the group's committed offsets on the commands topic: results published up to.
    :param relay: how far the relay had come; ``None`` when it never published.
    """

    group: str
    commands: str
    begin: dict[str, Offsets] = field(default_factory=dict)
    end: dict[str, Offsets] = field(default_factory=dict)
    committed: Offsets = field(default_factory=dict)
    relay: RelayPosition | None = None

    def is_cut(self, topic: str) -> bool:
        """Whether retention has removed the oldest records of a topic."""
        return any(offset > 0 for offset in self.begin.get(topic, {}).values())


@dataclass(slots=True, kw_only=True)
class History:
    """Topics and tables by their catalogue names; each call gives a fresh pass over them.

    :param decode: reads an Avro value (Confluent wire format); raises ``ValueError`` when it cannot.
    :param decode_named: as ``decode``, with the full name of the record.
    """

    cut: Cut
    topics: Mapping[str, Callable[[], Iterable[Rec]]]
    tables: Mapping[str, Callable[[], Iterable[Row]]]
    decode: Callable[[bytes], Any]
    decode_named: Callable[[bytes], tuple[str, Any]]

    def records(self, topic: str) -> Iterable[Rec]:
        """Records of a topic: each partition in offset order."""
        return self.topics[topic]()

    def rows(self, table: str) -> Iterable[Row]:
        """Rows of a table, all from one snapshot."""
        return self.tables[table]()
