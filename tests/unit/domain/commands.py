"""Commands for tests: decoded as in the applier, each at its own offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from domain import events
from domain.decide import decide
from domain.decision import Decision
from domain.events import Event
from domain.journal import Facts, JournalEntry
from domain.model import Interaction
from domain.results import result_of
from domain.unit_of_work import UnitOfWork
from schemas.command import Command, Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from schemas.instants import format_instant

TENANT = "10000000-0000-4000-8000-000000000001"
ORGANIZATION = "20000000-0000-4000-8000-000000000001"
FOREIGN = "20000000-0000-4000-8000-000000000002"
ADA = "30000000-0000-4000-8000-000000000001"
BOB = "30000000-0000-4000-8000-000000000002"
EVE = "30000000-0000-4000-8000-000000000003"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def interaction_id(number: int) -> str:
    """A readable interaction id; a greater number sorts later."""
    return f"40000000-0000-4000-8000-{number:012d}"


def deal_id(number: int) -> str:
    return f"50000000-0000-4000-8000-{number:012d}"


def at(minutes: float) -> str:
    """Format the instant ``minutes`` after the start."""
    return format_instant(START + timedelta(minutes=minutes))


def never_avro(value: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError("these tests publish JSON")


def stored(entry: JournalEntry) -> JournalEntry:
    """The entry as it is read back: its facts are stored in JSON."""
    return replace(entry, facts=msgspec.json.decode(msgspec.json.encode(entry.facts), type=Facts))


def events_of(decision: Decision) -> tuple[Event, ...]:
    """Events that the relay publishes for a decision."""
    return events.events_of(stored(decision.entry)) if decision.logged else ()


class Publisher:
    """Publisher of one partition, whose commands are applied to one unit of work.

    :ivar minutes: the broker's clock, in minutes after the start; incremented by each command.
    """

    def __init__(self) -> None:
        self.work = UnitOfWork()
        self.offset = 0
        self.minutes = 0.0

    def make(
        self,
        kind: str,
        data: dict[str, Any] | None = None,
        *,
        entity: str = ADA,
        organization: str = ORGANIZATION,
        command_id: str | None = None,
        **attributes: str,
    ) -> Command | Refused:
        """A command of type ``customers.<kind>``, decoded from its record."""
        offset, self.offset = self.offset, self.offset + 1
        event = {
            "specversion": "1.0",
            "id": command_id or f"c{offset}",
            "type": f"customers.{kind}",
            "source": "tests",
            "tenantid": TENANT,
            "organizationid": organization,
            "entityid": entity,
            **attributes,
            "data": data or {},
        }
        if kind == "interaction.mark_due":
            self._wait_for(self.work.interactions.get((data or {}).get("id", "")))
        instant = START + timedelta(minutes=self.minutes)
        self.minutes += 1
        record = IncomingRecord(
            "commands",
            0,
            offset,
            int(instant.timestamp() * 1000),
            entity.encode(),
            orjson.dumps(event),
            (("content-type", b"application/cloudevents+json"),),
        )
        return decode_record(record, never_avro)

    def _wait_for(self, row: Interaction | None) -> None:
        """Advance the clock to the scheduled time: the timers send nothing before it."""
        if row is not None and row.scheduled_at is not None:
            self.minutes = max(self.minutes, (row.scheduled_at - START) / timedelta(minutes=1))

    def execute(self, command: Command | Refused) -> Decision:
        decision = decide(self.work, command)
        self.work.apply(decision)
        return decision

    def send(self, kind: str, data: dict[str, Any] | None = None, **options: Any) -> Decision:
        """Make a command and apply it."""
        return self.execute(self.make(kind, data, **options))

    def applied(self, kind: str, data: dict[str, Any] | None = None, **options: Any) -> Decision:
        """Send a command that must be applied."""
        decision = self.send(kind, data, **options)
        assert decision.outcome == "applied", (
            result_of(decision)["problem"] or result_of(decision)["warnings"]
        )
        return decision

    def refused(self, code: str, kind: str, data: dict[str, Any] | None = None, **options: Any) -> Decision:
        """Send a command that must be rejected with this code and change nothing."""
        decision = self.send(kind, data, **options)
        assert decision.outcome == "rejected", result_of(decision)
        assert result_of(decision)["problem"]["code"] == code
        assert not events_of(decision)
        assert (decision.facts.before, decision.facts.after) == (None, None)
        assert (decision.writes, decision.removes) == ((), ())
        return decision

    def customer(self, entity: str = ADA, organization: str = ORGANIZATION) -> None:
        self.applied(
            "entity.upsert",
            {"id": entity, "kind": "person", "displayName": "Ada"},
            entity=entity,
            organization=organization,
        )

    def plan(self, number: int, scheduled: float | None = None, **data: Any) -> Decision:
        """Create a planned call with a readable id."""
        if scheduled is not None:
            data["scheduledAt"] = at(scheduled)
        return self.applied(
            "interaction.create", {"id": interaction_id(number), "interactionType": "call", **data}
        )

    @property
    def next_number(self) -> int | None:
        """The number of Ada's next interaction."""
        next_interaction = self.work.entities[ADA].next
        return int(next_interaction.interaction_id[-12:]) if next_interaction is not None else None
