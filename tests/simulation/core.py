"""The core in one process: the applier's transaction on real Postgres, fed from a list of commands."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from connectors.service.command_sender import command_record
from connectors.sync.inbound_commands import InboundCommand
from domain.decision import Decision
from domain.events import events_of
from domain.undo_image import undo_token
from runtime.postgres import Connection
from schemas.cloudevent_headers import JSON, event_headers
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from schemas.instants import format_instant
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import COMMANDS
from sinks.batch import BatchSink
from streams.applier.apply import Applier
from tests.harness.outgoing import raw_headers, raw_key

GROUP, TOPIC = "simulation", "commands"


def _no_avro(value: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError("the simulation sends JSON")


class Core:
    """One log, one partition, one applier, shared by all histories of a run.

    :ivar position: log end offset.
    """

    def __init__(self, connection: Connection) -> None:
        row = connection.execute("SELECT max(next_offset) FROM consumed_offsets").fetchone()
        connection.commit()
        self.position = int(row[0] or 0) if row else 0
        self._apply = Applier(BatchSink(connection, consumer_group=GROUP, topic=TOPIC)).apply

    def apply(self, records: list[OutgoingRecord], now: datetime) -> list[Decision]:
        """Append records to the log and apply them as one batch."""
        start, commands = self.position, []
        for sent in records:
            record = IncomingRecord(
                TOPIC,
                0,
                self.position,
                int(now.timestamp() * 1000),
                raw_key(sent),
                sent.value,
                raw_headers(sent.headers),
            )
            self.position += 1
            commands.append(decode_record(record, _no_avro))
        return self._apply(commands, {0: start}, {}) if commands else []


class Desk:
    """People of one tenant, and their commands in flight."""

    def __init__(self, core: Core, clock: Callable[[], datetime], chance: Any) -> None:
        self.tenant, self.organization = self._id(chance), self._id(chance)
        self.entity = self._id(chance)
        self._core, self._clock = core, clock
        self.queue: list[OutgoingRecord] = []
        self.kafka_down = False
        #: Events not yet delivered to the agent.
        self.events: list[tuple[str, dict[str, Any]]] = []
        #: Interaction → applied changes: origin and changed fields.
        self.changes: dict[str, list[tuple[str | None, tuple[str, ...]]]] = defaultdict(list)
        self.pulled = 0
        self.tokens: dict[str, list[str]] = defaultdict(list)
        self.person("entity.upsert", {"id": self.entity, "kind": "person", "displayName": "Ada"})

    @staticmethod
    def _id(chance: Any) -> str:
        return str(uuid.UUID(int=chance.getrandbits(128), version=4))

    def person(self, kind: str, data: dict[str, Any], made: datetime | None = None) -> None:
        """Queue a person's command, as a gateway would send it."""
        now = self._clock()
        value = dict(data)
        if made is not None:
            value["sourceTimestamp"] = format_instant(made)
        headers = event_headers(
            JSON,
            id=str(uuid.uuid4()),
            source="people",
            type=f"customers.{kind}",
            time=format_instant(now),
            tenantid=self.tenant,
            organizationid=self.organization,
            entityid=self.entity,
        )
        self.queue.append(OutgoingRecord(COMMANDS, self.entity, orjson.dumps(value), headers))

    def send(self, commands: Any) -> None:
        """Queue the connectors' commands; stands in for their producer."""
        from schemas.errors import Retry

        if self.kafka_down:
            raise Retry("the broker is down")
        batch: list[InboundCommand] = list(commands)
        self.pulled += len(batch)
        self.queue.extend(command_record(command, self._clock()) for command in batch)

    def apply(self) -> list[Decision]:
        """Apply the commands in flight."""
        batch, self.queue = self.queue, []
        decisions = self._core.apply(batch, self._clock())
        for decision in decisions:
            for event in events_of(decision.entry) if decision.logged else ():
                self.events.append((event.type, event.payload))
                if "changedFields" in event.payload:
                    self.changes[event.payload["id"]].append(
                        (event.payload["syncOrigin"], tuple(event.payload["changedFields"]))
                    )
            if decision.outcome == "applied" and decision.facts.undoable:
                token = undo_token(decision.entry.given_id)
                self.tokens[decision.entry.interaction_id or ""].append(token)
        return decisions
