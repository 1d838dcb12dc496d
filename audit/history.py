"""Audited history as plain data: records of topics, rows of tables, and the cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Row = Mapping[str, Any]
Offsets = dict[int, int]


class Record(NamedTuple):
    """One committed Kafka record.

    :param readable: the client could decode its headers (every name is UTF-8).
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
    """Published position of the relay in the journal.

    :param floor: all rows of transactions below this xid are published.
    :param ceiling: end (exclusive xid) of the window being published.
    :param position: inside the window, all rows up to here are published.
    """

    floor: int
    ceiling: int | None
    position: int

    def passed(self, xid: int, position: int) -> bool:
        """Return whether a row of the journal is published."""
        if xid < self.floor:
            return True
        return self.ceiling is not None and xid < self.ceiling and position <= self.position


@dataclass(slots=True, kw_only=True)
class Cut:
    """Bounds of the audited history.

    :param group: consumer group of the applier.
    :param commands: full name of the commands topic, prefix included.
    :param begin: oldest retained offset, by catalog name of the topic and partition.
    :param end: first offset past the cut, likewise.
    :param committed: the group's committed offsets on the commands topic; results exist below them.
    :param relay: up to where the relay has published events; ``None`` if it never has.
    :param states: up to where it has published states.
    :param now: time of the tables' snapshot in µs; ``None``: that of the newest command.
    :param resolution_seconds: longest time of a resolution: more than the deadline of the timers.
    :param stored: it has published the customers, deals and types of before their state topics existed.
    """

    group: str
    commands: str
    begin: dict[str, Offsets] = field(default_factory=dict)
    end: dict[str, Offsets] = field(default_factory=dict)
    committed: Offsets = field(default_factory=dict)
    relay: RelayPosition | None = None
    states: RelayPosition | None = None
    now: int | None = None
    resolution_seconds: float = 15 * 60
    stored: bool = True

    def is_truncated(self, topic: str) -> bool:
        """Return whether retention has removed the oldest records of a topic."""
        return any(offset > 0 for offset in self.begin.get(topic, {}).values())


@dataclass(slots=True, kw_only=True)
class History:
    """Topics and tables by catalog name; each call starts a new pass.

    :param decode: decodes an Avro value (Confluent wire format); raises ``ValueError``.
    :param decode_named: like ``decode``, with the full name of the record.
    """

    cut: Cut
    topics: Mapping[str, Callable[[], Iterable[Record]]]
    tables: Mapping[str, Callable[[], Iterable[Row]]]
    decode: Callable[[bytes], Any]
    decode_named: Callable[[bytes], tuple[str, Any]]

    def records(self, topic: str) -> Iterable[Record]:
        """Records of a topic, each partition in offset order."""
        return self.topics[topic]()

    def rows(self, table: str) -> Iterable[Row]:
        """Rows of a table, from the audit's one snapshot."""
        return self.tables[table]()
