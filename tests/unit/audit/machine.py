"""The whole pipeline in memory: the real rules and record builders on plain lists.

It produces histories for the auditor: a clean one must pass, a tampered one must not.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import orjson
from msgspec.structs import replace

from audit import history as audit_history
from audit.history import Cut, History, RelayPosition
from domain.decide import fold
from domain.decision import Decision
from domain.erasure import scrubbed
from domain.events import events_of
from domain.journal import Facts, JournalEntry, published_count
from domain.model import Deal, Entity, TypeEntry
from domain.unit_of_work import UnitOfWork
from schemas.command import Refused
from schemas.decode import decode_record
from schemas.errors import Reject
from schemas.incoming_record import IncomingRecord
from schemas.outgoing_record import Headers, OutgoingRecord
from schemas.topics import COMMANDS, DEAD_LETTERS, EVENTS, RESULTS, STATE_TOPICS
from sinks.records import ERASED, RECORDS
from streams.applier.dead_letter_records import dead_letter
from streams.applier.result_records import result_record
from streams.relay.records import event_records
from streams.relay.states import PendingStates
from tests.harness.outgoing import raw_headers, raw_key

GROUP = "appliers"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TENANT = "11111111-1111-4111-8111-111111111111"
ORGANIZATION = "22222222-2222-4222-8222-222222222222"

_TABLES = {record.insert.table: (kind, record) for kind, record in RECORDS.items()}


def make_id(name: str) -> str:
    """Derive a UUID from a readable name."""
    return str(uuid5(UUID(int=7), name))


class _Rows:
    """The rows of a unit of work, as the relay reads them from the tables."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work

    def entities(self, ids: Iterable[str]) -> list[Entity]:
        return [self._work.entities[key] for key in ids]

    def deals(self, ids: Iterable[str]) -> list[Deal]:
        return [self._work.deals[key] for key in ids]

    def types(self, scopes: Iterable[tuple[str, str]]) -> list[TypeEntry]:
        wanted = set(scopes)
        return [row for row in self._work.types.values() if (row.tenant_id, row.organization_id) in wanted]


class Machine:
    """``send`` commands, ``settle`` them, take the ``history``; any list may be tampered with."""

    def __init__(self, partitions: int = 3, relayed: int | None = None) -> None:
        """:param relayed: journal rows that the relay publishes before it stops; all by default."""
        self.partitions = partitions
        self.relayed = relayed
        #: Up to where states are published; by default as far as events.
        self.states: RelayPosition | None = None
        self.work = UnitOfWork()
        self.topics: dict[str, list[audit_history.Record]] = {
            name: [] for name in (COMMANDS, RESULTS, EVENTS, DEAD_LETTERS, *STATE_TOPICS)
        }
        self.journal: list[dict[str, Any]] = []
        self.watermark: dict[int, int] = {}
        self.now = START
        self.cut = Cut(group=GROUP, commands=COMMANDS)
        self._entries: list[JournalEntry] = []
        self._cleaned: set[str] = set()
        self._settled = 0
        self._ends: Counter[tuple[str, int]] = Counter()
        self._commands = 0
        self._tables: dict[str, list[dict[str, Any]]] | None = None

    # --- publishing -------------------------------------------------------------------------------

    def send(
        self,
        kind: str,
        data: dict[str, Any],
        *,
        entity: str,
        command_id: str | None = None,
        tenant: str = TENANT,
        organization: str = ORGANIZATION,
        partition: int | None = None,
        actor: str | None = None,
    ) -> str:
        """Append one structured command; returns its id."""
        self._commands += 1
        identity = command_id or f"command-{self._commands}"
        event = {
            "specversion": "1.0",
            "id": identity,
            "type": f"customers.{kind}",
            "source": "/tests",
            "tenantid": tenant,
            "organizationid": organization,
            "entityid": entity,
            "actorid": actor,
            "data": data,
        }
        self.append(entity.encode(), orjson.dumps(event), partition=partition)
        return identity

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[str, bytes | None], ...] = (),
        partition: int | None = None,
    ) -> audit_history.Record:
        """Append one record to the commands topic, one second after the previous one."""
        self.now += timedelta(seconds=1)
        return self._put(COMMANDS, key, value, list(headers), partition)

    def _put(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        partition: int | None = None,
    ) -> audit_history.Record:
        records = self.topics[topic]
        if partition is None:
            partition = zlib.crc32(key or b"") % self.partitions
        offset = self._ends[topic, partition]
        self._ends[topic, partition] += 1
        stamp, raw = int(self.now.timestamp() * 1000), raw_headers(headers)
        records.append(audit_history.Record(topic, partition, offset, stamp, key, value, raw))
        return records[-1]

    def _publish_record(self, record: OutgoingRecord, partition: int | None = None) -> None:
        self._put(record.topic, raw_key(record), record.value, record.headers, partition)

    # --- the pipeline -----------------------------------------------------------------------------

    def settle(self) -> Machine:
        """Apply, answer and publish everything sent so far, including commands from the relay."""
        while self._settled < len(self.topics[COMMANDS]):
            record = self.topics[COMMANDS][self._settled]
            self._settled += 1
            command = decode_record(IncomingRecord(*record[:7]), _no_avro)
            (decision,) = fold(self.work, [command])
            self._store(decision)
            self._publish_record(result_record(decision, orjson.dumps))
            if isinstance(command, Refused) and command.undecodable:
                self._publish_record(dead_letter(command), record.partition)
            self.watermark[record.partition] = record.offset + 1
        return self

    def _store(self, decision: Decision) -> None:
        if not decision.logged:
            return
        entry = decision.entry
        if decision.relabeled is not None:
            shown = {
                row.entity_id
                for row in self.work.interactions.values()
                if row.interaction_type == decision.relabeled and row.tenant_id == entry.tenant_id
            }
            entry = replace(entry, facts=replace(decision.facts, relabeled=tuple(sorted(shown))))
        self._write(entry)

    def _write(self, entry: JournalEntry) -> None:
        facts = entry.facts
        assert isinstance(facts, Facts)
        position = len(self.journal) + 1
        self._entries.append(entry)
        self.journal.append(
            {
                "tenant_id": entry.tenant_id,
                "organization_id": entry.organization_id,
                "command_id": entry.command_id,
                "entity_id": entry.entity_id,
                "partition": entry.partition,
                "offset": entry.offset,
                "outcome": entry.outcome,
                "entity_version": entry.entity_version,
                "logged_at": self.now,
                "position": position,
                "xid": 1000 + position,
                "events": published_count(facts),
                "has_facts": True,
                "appended_at": entry.appended_at,
                **_from_facts(facts),
            }
        )
        if self.relayed is not None and position > self.relayed:
            return
        events, states = events_of(entry), PendingStates()
        states.add(entry, events)
        built = [build() for build in states.builders(_as_json, _Rows(self.work))]
        for record in (*event_records(entry, events, _as_json), *built):
            if record.topic == COMMANDS:
                self.now += timedelta(seconds=1)
            self._publish_record(record)

    def clean(self) -> Machine:
        """Complete the erasures, as their jobs do."""
        self._cleaned.update(self.work.erased)
        for entry, row in zip(self._entries, self.journal, strict=True):
            facts = entry.facts
            assert isinstance(facts, Facts)
            if entry.entity_id in self._cleaned and entry.outcome != "rejected" and facts.erased is None:
                row.update(_from_facts(scrubbed(entry)))
        return self

    # --- the history ------------------------------------------------------------------------------

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Tables as rows; built once, so that tests can tamper with them."""
        if self._tables is None:
            work = self.work
            self._tables = {
                **{
                    table: [
                        dict(zip(record.columns, record.row(row), strict=True))
                        for row in work.sets[kind].values()
                    ]
                    for table, (kind, record) in _TABLES.items()
                },
                "erased_entities": [
                    {
                        **dict(zip(ERASED.columns, ERASED.row(row), strict=True)),
                        "cleaned_at": self.now if row.entity_id in self._cleaned else None,
                    }
                    for row in work.erased.values()
                ],
                "erasure_leftovers": [],
                "journal": self.journal,
                "publications": self.journal,
                "consumed_offsets": [
                    {
                        "consumer_group": GROUP,
                        "topic": COMMANDS,
                        "partition": partition,
                        "next_offset": offset,
                        "results_offset": offset,
                    }
                    for partition, offset in self.watermark.items()
                ],
            }
        return self._tables

    def history(self) -> History:
        """History as the auditor sees it: everything published and committed."""
        cut = self.cut
        cut.end = {
            topic: {
                partition: max((r.offset + 1 for r in records if r.partition == partition), default=0)
                for partition in range(self.partitions)
            }
            for topic, records in self.topics.items()
        }
        cut.committed = cut.committed or dict(self.watermark)
        reached = len(self.journal) + 1 if self.relayed is None else self.relayed
        cut.relay = cut.relay or RelayPosition(1000, 10**6, reached)
        cut.states = self.states or cut.relay
        return History(
            cut=cut,
            topics={topic: lambda held=records: list(held) for topic, records in self.topics.items()},  # type: ignore[misc]
            tables={name: lambda held=rows: list(held) for name, rows in self.tables.items()},  # type: ignore[misc]
            decode=_json,
            decode_named=_no_named_avro,
        )

    # --- tampering --------------------------------------------------------------------------------

    def find(self, topic: str, **headers: str) -> int:
        """Index of the first record of a topic with these header values."""
        wanted = {(name, value.encode()) for name, value in headers.items()}
        return next(at for at, record in enumerate(self.topics[topic]) if wanted <= set(record.headers))

    def change(self, topic: str, at: int, **members: Any) -> None:
        """Change members of a record's JSON value."""
        record = self.topics[topic][at]
        value = orjson.loads(record.value or b"{}")
        self.topics[topic][at] = record._replace(value=orjson.dumps({**value, **members}))


def _from_facts(facts: Facts) -> dict[str, Any]:
    """Columns that the auditor derives from the facts of a row."""
    payload = facts.before, facts.after, facts.step, facts.previous, facts.next, facts.record
    return {
        "event": facts.event,
        "step_event": facts.step.event if facts.step is not None else None,
        "next_changed": facts.next_changed,
        "projection_changed": facts.projection_changed,
        "states_only": facts.states_only,
        "record_kind": facts.record.kind if facts.record is not None else None,
        "record_is_new": facts.record is None or facts.record.before is None,
        "relabeled": list(facts.relabeled) or None,
        "changed": [(change.event, change.row.id) for change in facts.changes if change.event],
        "erases": facts.erased is not None,
        "scrubbed": facts.scrubbed,
        "has_payload": any(it is not None for it in payload) or bool(facts.changes) or facts.undoable,
    }


def _no_avro(value: bytes) -> tuple[str, dict[str, Any]]:
    raise Reject("undecodable", f"{len(value)} bytes that are not JSON")


def _no_named_avro(value: bytes) -> tuple[str, Any]:
    raise ValueError(f"{len(value)} bytes that are not JSON")


def _as_json(kind: str, data: dict[str, Any]) -> bytes:
    return orjson.dumps(data)


def _json(value: bytes) -> Any:
    return orjson.loads(value)
