"""Search tables, topics and logs for the texts of an erased customer; count, and never show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from cli.erase.needles import Needles, matching
from runtime.settings import Settings
from runtime.topic_tail import TopicTail
from schemas.topics import RELAY_POSITION, STATE_TOPICS, TOPICS, TYPE_STATE

if TYPE_CHECKING:
    from runtime.postgres import Connection
    from schemas.incoming_record import IncomingRecord

_PAGE: Final = 2000
Item = TypeVar("Item")
#: Of the organization, and without texts.
_LEFT_OUT: Final = (TYPE_STATE, RELAY_POSITION)
_COMPACTION: Final = (
    "min.cleanable.dirty.ratio",
    "segment.ms",
    "min.compaction.lag.ms",
    "max.compaction.lag.ms",
    "delete.retention.ms",
)


@dataclass(slots=True)
class Place:
    """One table, topic or log.

    :ivar remaining: rows, records or lines that still have a text of the customer.
    :ivar others: those that have one of its words and belong to another customer.
    :ivar until: time at which retention has removed the remaining records.
    :ivar superseded: all remaining records of a compacted topic have a tombstone; compaction removes them.
    :ivar settings: those that decide when it does.
    """

    kind: str
    name: str
    searched: int = 0
    remaining: int = 0
    others: int = 0
    until: datetime | None = None
    superseded: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def violates(self) -> bool:
        """Report whether what remains should not, or remains for good."""
        return self.remaining > 0 and self.until is None and not self.superseded


def search_tables(connection: Connection, tenant_id: str, needles: Needles) -> Iterator[Place]:
    """Search every table."""
    from sinks.erasure.rows import row_texts, searched_tables

    for table in searched_tables(connection):
        place = Place("table", table.name)
        terms = needles.terms if table.owned else needles.alone
        for rows in row_texts(connection, table, tenant_id):
            contents = [row.encode() for row in rows]
            place.searched += len(contents)
            for number in matching(contents, terms):
                if not table.owned or needles.name_customer(contents[number]):
                    place.remaining += 1
                else:
                    place.others += 1
        yield place


def search_topics(settings: Settings, needles: Needles) -> Iterator[Place]:
    """Search every topic, also what compaction and aborted transactions left."""
    from runtime.kafka import make_admin
    from runtime.topics import topic_configs

    names = [topic.name for topic in TOPICS if topic.name not in _LEFT_OUT]
    configs = topic_configs(make_admin(settings), [settings.topic(name) for name in names])
    for name in names:
        config = configs[settings.topic(name)]
        with TopicTail(settings, name, committed=False) as tail:
            place = _search_topic(name, tail.to_end(), needles)
        if name in STATE_TOPICS:
            place.settings = {key: config[key] for key in _COMPACTION if key in config}
        elif place.remaining and int(config["retention.ms"]) > 0 and place.until is not None:
            # A segment is removed as a whole, once its newest record has expired.
            kept = int(config["retention.ms"]) + int(config["segment.ms"])
            place.until += timedelta(milliseconds=kept)
        else:
            place.until = None
        yield place


def _search_topic(name: str, records: Iterable[IncomingRecord], needles: Needles) -> Place:
    place, newest = Place("topic", name), 0
    held: set[bytes] = set()
    for page in _pages(records):
        contents = [_content(record) for record in page]
        place.searched += len(page)
        found = set(matching(contents, needles.terms))
        for number, record in enumerate(page):
            if number in found:
                if _is_of_customer(contents[number], needles):
                    place.remaining += 1
                    newest = max(newest, record.timestamp_ms)
                    held.add(record.key or b"")
                else:
                    place.others += 1
            elif record.value is None:
                held.discard(record.key or b"")
    place.superseded = name in STATE_TOPICS and not held
    if place.remaining and name not in STATE_TOPICS:
        place.until = datetime.fromtimestamp(newest / 1000, UTC)
    return place


def search_logs(folder: Path, needles: Needles) -> Iterator[Place]:
    """Search the log files of an embedded stack."""
    for path in sorted(folder.glob("*.log*")) if folder.is_dir() else ():
        place = Place("log", path.name)
        with path.open("rb") as file:
            for lines in _pages(file):
                place.searched += len(lines)
                place.remaining += sum(1 for _ in matching(lines, needles.alone))
        yield place


def _pages(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while page := list(islice(iterator, _PAGE)):
        yield page


def _content(record: IncomingRecord) -> bytes:
    headers = (part for name, value in record.headers or () for part in (name.encode(), value or b""))
    return b"\x00".join((record.key or b"", record.value or b"", *headers))


def _is_of_customer(content: bytes, needles: Needles) -> bool:
    """Report whether a record is the customer's: it names it, or has a distinctive text and no owner."""
    return needles.name_customer(content) or (
        b"entityid" not in content.lower() and any(term in content for term in needles.alone)
    )
