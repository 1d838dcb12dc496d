"""Random two-way history: local users, users at two providers, and injected faults."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.sdk.remote import RemoteChange
from connectors.service.integration_events import IntegrationEvents
from connectors.store.integrations import Integration, insert_integration
from connectors.store.interactions import InteractionState, read_interaction
from connectors.store.ledger_marks import mark_local
from connectors.store.mappings import mapping_of
from connectors.store.warnings import list_warnings
from connectors.sync.change_marks import marks_for_event
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.policy import Policy
from connectors.sync.poller import poll
from connectors.sync.reconciler import reconcile
from connectors.sync.record_changes import record_changes
from connectors.sync.resolution import resolve
from connectors.sync.session import Session
from connectors.sync.worker import Worker
from runtime.crash_points import CONNECTOR_POINTS
from runtime.postgres import Connection
from schemas.errors import Retry
from schemas.instants import format_instant
from tests.harness.integrations import an_integration
from tests.harness.memory_registry import MemoryRegistry
from tests.simulation.board import Board, BoardProvider, Thing, declaration_of
from tests.simulation.core import Core, Desk

START: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Crash(BaseException):
    """The process dies at this point."""


_EVENTS = IntegrationEvents(lambda _: None, MemoryRegistry.encoder().encode)


def _tell(kind: str, integration: Integration, entity_id: str | None, data: dict[str, Any]) -> None:
    """Discard the event, but check that it matches the contract."""
    _EVENTS.record(kind, integration, entity_id, data)


@dataclass
class Side:
    """One provider of the history."""

    board: Board
    session: Session
    breaker: CircuitBreaker
    runs: int = 0
    armed: str | None = None
    #: (interaction, field) → values set by people at this provider.
    edits: dict[tuple[str, str], list[Any]] = field(default_factory=dict)


class History:
    """One tenant and two providers; ``run`` plays random steps, ``check`` asserts the invariants."""

    def __init__(self, connection: Connection, core: Core, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seed = seed
        self.connection = connection
        self.time = START + timedelta(days=seed % 300)
        self.desk = Desk(core, self.now, self.chance)
        self.ids: list[str] = []
        self.local_edits: dict[tuple[str, str], list[Any]] = {}
        self.sides = [self._side(name) for name in "AB"]
        self.desk.apply()

    def now(self) -> datetime:
        return self.time

    def _side(self, name: str) -> Side:
        board = Board(
            name=f"{name}{self.seed}-",
            clock=self.now,
            chance=self.chance,
            lossy=self.chance.random() < 0.5,
            conditional=self.chance.random() < 0.5,
            lists=self.chance.random() < 0.5,
            skew=timedelta(seconds=self.chance.choice([0, 0, -3600, -7, 3, 250, 7200])),
        )
        declaration = declaration_of(board)
        identity = f"board-{name.lower()}-{self.desk.tenant}"
        integration = an_integration(identity, self.desk.tenant, self.desk.organization)
        insert_integration(self.connection, integration)
        imports = self.chance.random() < 0.5
        policy = Policy(
            create_if_unmapped=imports,
            entity_id=self.desk.entity if imports else None,
            on_remote_delete=self.chance.choice(["cancel", "keep"]),
            most_deletions=1000,
        )
        side = Side(board=board, session=None, breaker=CircuitBreaker(self.now))  # type: ignore[arg-type]
        side.session = Session(
            integration=integration,
            declaration=declaration,
            provider=BoardProvider(board),
            policy=policy,
            send=self.desk.send,
            now=self.now,
            announce=_tell,
            crash_point=lambda point: self._reach(side, point),
        )
        return side

    def _reach(self, side: Side, point: str) -> None:
        if side.armed == point:
            side.armed = None
            raise Crash(point)

    # ---- steps

    def run(self, steps: int) -> None:
        """Play a number of random steps."""
        deeds = [
            (self.create, 5),
            (self.edit_here, 8),
            (self.turn_here, 5),
            (self.delete_here, 2),
            (self.undo_here, 2),
            (self.edit_there, 9),
            (self.appear_there, 2),
            (self.delete_there, 1),
            (self.move_there, 1),
            (self.spoil_there, 1),
            (self.forget_there, 1),
            (self.apply, 10),
            (self.tell_agent, 9),
            (self.deliver, 10),
            (self.work, 16),
            (self.poll, 4),
            (self.pass_time, 8),
            (self.trouble, 4),
        ]
        names, weights = zip(*deeds, strict=True)
        self.create()
        for deed in self.chance.choices(names, weights, k=steps):
            self.time += timedelta(milliseconds=self.chance.randrange(1, 900))
            deed()

    def create(self) -> None:
        if len(self.ids) >= 4:
            return
        identity = Desk._id(self.chance)
        self.ids.append(identity)
        values = {"title": self._title(), "scheduledAt": format_instant(self._moment()), "priority": 60}
        self.desk.person("interaction.create", {"id": identity, "interactionType": "call", **values})

    def _title(self) -> str:
        return f"t{self.chance.randrange(10**6)}"

    def _moment(self) -> datetime:
        return START + timedelta(minutes=self.chance.randrange(0, 60 * 24 * 400))

    def _somebody(self) -> InteractionState | None:
        if not self.ids:
            return None
        identity = self.chance.choice(self.ids)
        return read_interaction(self.connection, self.desk.tenant, self.desk.organization, identity)

    def _value(self, name: str) -> Any:
        if name == "title":
            return self._title()
        if name == "priority":
            return self.chance.choice([None, 5, 30, 55, 80, 99])
        return self.chance.choice([None, self._moment(), self._moment(), self._moment()])

    def edit_here(self) -> None:
        subject = self._somebody()
        if subject is None:
            return
        name = self.chance.choice(["title", "scheduled_at", "priority"])
        value = self._value(name)
        wire = {"title": "title", "scheduled_at": "scheduledAt", "priority": "priority"}[name]
        written = format_instant(value) if isinstance(value, datetime) else value
        made = self.time - timedelta(seconds=self.chance.choice([0, 0, 0, 30]))
        self.desk.person("interaction.update", {"id": subject.id, wire: written}, made)
        self.local_edits.setdefault((subject.id, name), []).append(value)

    def turn_here(self) -> None:
        subject = self._somebody()
        if subject is None:
            return
        verbs = {"planned": ["complete", "cancel"], "done": ["reopen"], "canceled": ["reopen"]}
        verb = self.chance.choice(verbs[subject.values["status"]])
        self.desk.person(f"interaction.{verb}", {"id": subject.id})
        self.local_edits.setdefault((subject.id, "status"), []).append(verb)

    def delete_here(self) -> None:
        subject = self._somebody()
        if subject is not None:
            self.desk.person("interaction.delete", {"id": subject.id})
            self._unsettled(subject.id)

    def undo_here(self) -> None:
        tokens = [(i, token) for i in self.ids for token in self.desk.tokens[i][-1:]]
        if tokens:
            identity, token = self.chance.choice(tokens)
            self.desk.person("interaction.undo", {"undoToken": token})
            self._unsettled(identity)

    def _unsettled(self, identity: str) -> None:
        # Deletions and undos set every field again, so no earlier edit is uncontested.
        for name in ("title", "scheduled_at", "priority", "status"):
            self.local_edits.setdefault((identity, name), []).append("?")

    def _thing(self, side: Side) -> Thing | None:
        alive = [thing for thing in side.board.things.values() if not thing.deleted and not thing.archived]
        return self.chance.choice(alive) if alive else None

    def edit_there(self) -> None:
        side = self.chance.choice(self.sides)
        thing = self._thing(side)
        if thing is None:
            return
        name = self.chance.choice(["title", "scheduled_at", "priority", "status"])
        value = self.chance.choice(["planned", "done", "canceled"]) if name == "status" else self._value(name)
        value = side.board.entry(name, value)
        if thing.values.get(name) == value:
            return
        thing.values[name] = value
        side.board.changed(thing)
        side.edits.setdefault((self._interaction(side, thing), name), []).append(value)

    def _interaction(self, side: Side, thing: Thing) -> str:
        if thing.marker is not None:
            return side.session.interaction_id_of(thing.marker) or thing.id
        return thing.id

    def appear_there(self) -> None:
        side = self.chance.choice(self.sides)
        values = {
            name: side.board.entry(name, self._value(name)) for name in ("title", "scheduled_at", "priority")
        }
        side.board.new_thing({**values, "status": "planned"}, None)

    def delete_there(self) -> None:
        side = self.chance.choice(self.sides)
        thing = self._thing(side)
        if thing is not None:
            thing.deleted = True
            side.board.changed(thing, "gone")
            identity = self._interaction(side, thing)
            for name in ("title", "scheduled_at", "priority", "status"):
                side.edits.setdefault((identity, name), []).append("?")

    def move_there(self) -> None:
        """A client saves an object under another name; it keeps its marker."""
        side = self.chance.choice(self.sides)
        thing = self._thing(side)
        if thing is not None and thing.marker is not None and not thing.unreadable:
            side.board.move(thing)

    def spoil_there(self) -> None:
        """Toggle if an object can be mirrored."""
        side = self.chance.choice(self.sides)
        thing = self._thing(side)
        if thing is not None and thing.marker is not None:
            thing.unreadable = not thing.unreadable
            side.board.changed(thing)

    def forget_there(self) -> None:
        side = self.chance.choice(self.sides)
        side.board.forgets = side.board.lists

    def apply(self) -> None:
        self.desk.apply()

    def tell_agent(self) -> None:
        events, self.desk.events = self.desk.events, []
        if self.chance.random() < 0.1:
            return  # lost: the reconciler finds the change
        integrations = [side.session.integration for side in self.sides]
        marks = [
            mark
            for kind, payload in events
            if "changedFields" in payload
            for mark in marks_for_event(kind, payload, integrations)
        ]
        with self.connection.transaction():
            mark_local(self.connection, marks, self.time)
            if self.chance.random() < 0.2:
                mark_local(self.connection, marks, self.time)

    def deliver(self) -> None:
        """Deliver webhooks late, twice, in any order, or never."""
        side = self.chance.choice(self.sides)
        due = side.board.deliveries
        self.chance.shuffle(due)
        for change in due[: self.chance.randrange(0, 4)]:
            fate = self.chance.random()
            if fate > 0.15:
                due.remove(change)
            if fate > 0.25:
                self._take(side, change)

    def _take(self, side: Side, change: RemoteChange) -> None:
        with self.connection.transaction():
            record_changes(side.session, self.connection, [change])

    def work(self) -> None:
        side = self.chance.choice(self.sides)
        side.runs += 1
        if self.chance.random() < 0.12:
            side.armed = self.chance.choice(sorted(CONNECTOR_POINTS))
        side.board.lose_answer = 0.1 if self.chance.random() < 0.3 else 0.0
        worker = Worker(
            side.session, self.connection, f"{side.board.name}{side.runs}", side.breaker, self.chance
        )
        try:
            worker.work(most=self.chance.randrange(1, 4))
        except Crash:
            if self.chance.random() < 0.7:
                self.time += side.session.lease
        side.armed, side.board.lose_answer = None, 0.0

    def poll(self) -> None:
        side = self.chance.choice(self.sides)
        with contextlib.suppress(Retry):
            poll(side.session, self.connection)

    def pass_time(self) -> None:
        self.time += timedelta(seconds=self.chance.choice([1, 5, 20, 120]))

    def trouble(self) -> None:
        side = self.chance.choice(self.sides)
        if self.chance.random() < 0.5:
            side.board.outage = not side.board.outage
        else:
            self.desk.kafka_down = not self.desk.kafka_down

    # ---- convergence

    def heal(self) -> None:
        """Stop all faults and run until nothing changes; people resolve the conflicts."""
        self.desk.kafka_down = False
        for side in self.sides:
            side.board.outage, side.board.lose_answer, side.armed = False, 0.0, None
            self.chance.shuffle(side.board.deliveries)
            for thing in list(side.board.things.values()):
                if thing.unreadable:
                    thing.unreadable = False
                    side.board.changed(thing)
        for _ in range(60):
            self.time += timedelta(seconds=30)
            before = self._moves()
            self._round()
            if before == self._moves() and not self._due() and not self._decide():
                return
        raise AssertionError(f"seed {self.seed}: no rest; due {self._due()}")

    def _round(self) -> None:
        self.desk.apply()
        chance, self.chance = self.chance, random.Random(1)
        self.tell_agent()
        self.chance = chance
        for side in self.sides:
            deliveries, side.board.deliveries = side.board.deliveries, []
            for change in deliveries:
                self._take(side, change)
            poll(side.session, self.connection)
            reconcile(side.session, self.connection, grace=timedelta(days=-9999))
            side.runs += 1
            worker = Worker(
                side.session, self.connection, f"{side.board.name}{side.runs}", side.breaker, self.chance
            )
            if side.breaker.open:
                self.time += timedelta(minutes=6)
            worker.work(most=50)

    def _moves(self) -> tuple[int, ...]:
        writes = tuple(len(side.board.writes) for side in self.sides)
        return (*writes, self.desk.pulled, sum(map(len, self.desk.changes.values())))

    def _due(self) -> int:
        row = self.connection.execute(
            "SELECT count(*) FROM sync_ledger WHERE tenant_id = %s"
            " AND (next_attempt_at IS NOT NULL OR pending IS NOT NULL)",
            (self.desk.tenant,),
        ).fetchone()
        return int(row[0]) if row else 0

    def _decide(self) -> bool:
        """Resolve open warnings at random, as people would."""
        waiting = [
            warning
            for warning in list_warnings(self.connection, tenant_id=self.desk.tenant)
            if warning.kind in ("conflict", "refused", "failed")
        ]
        for warning in waiting:
            choice = (
                "retry" if warning.kind == "failed" else self.chance.choice(["take_local", "take_remote"])
            )
            resolve(self.connection, [warning], choice, by="judge", now=self.time)  # type: ignore[arg-type]
        return bool(waiting)

    # ---- invariants

    def check(self) -> None:
        """Check that both sides agree, and that nothing is duplicated, lost or still changing."""
        for side in self.sides:
            self._check_side(side)
        self._check_uncontested()
        before = self._moves()
        for _ in range(3):
            self.time += timedelta(minutes=2)
            self._round()
        assert before == self._moves(), f"seed {self.seed}: changes continue without a cause"

    def _check_side(self, side: Side) -> None:
        context = f"seed {self.seed}, board {side.board.name}"
        markers: dict[str, list[Thing]] = {}
        for thing in side.board.things.values():
            if thing.marker is not None:
                markers.setdefault(thing.marker, []).append(thing)
        rows = self.connection.execute(
            "SELECT local_id::text, external_id, archived, gone, base IS NULL"
            " FROM sync_external_id_mappings WHERE integration_id = %s",
            (side.session.integration.id,),
        ).fetchall()
        mapped = {row[1] for row in rows}
        assert all(not row[4] for row in rows), f"{context}: an import that never completed: {rows}"
        for marker, things in markers.items():
            # An object deleted before the response to its create arrived is unknown, and is created again.
            known = [thing for thing in things if thing.id in mapped or not thing.deleted]
            assert len(known) <= 1, f"{context}: {len(known)} objects for {marker}"
        for thing in side.board.things.values():
            if thing.marker is not None and not thing.deleted:
                assert thing.id in mapped, f"{context}: {thing.id} carries our marker but has no mapping"
            elif side.session.policy.create_if_unmapped and not thing.deleted:
                assert thing.id in mapped, f"{context}: {thing.id} was never imported"
        for local_id, external_id, archived, gone, _ in rows:
            self._check_pair(side, context, local_id, side.board.things[external_id], archived, gone)
        for identity in self.ids:
            subject = read_interaction(self.connection, self.desk.tenant, self.desk.organization, identity)
            mapping = mapping_of(self.connection, side.session.integration.id, identity)
            if subject is not None and subject.values["status"] == "planned":
                assert mapping is not None, f"{context}: {identity} has no mirror"
        self._check_writes(side, context)

    def _check_pair(
        self, side: Side, context: str, local_id: str, thing: Thing, archived: bool, gone: bool
    ) -> None:
        subject = read_interaction(self.connection, self.desk.tenant, self.desk.organization, local_id)
        if gone:
            assert thing.deleted, f"{context}: {thing.id} exists but is marked as gone"
            return
        assert not thing.deleted, f"{context}: {thing.id} is gone but not marked as gone"
        if subject is None:
            assert archived, f"{context}: {thing.id} mirrors nothing"
            assert thing.archived, f"{context}: {thing.id} should be archived"
            return
        assert not archived, f"{context}: {thing.id} is marked as archived"
        assert not thing.archived, f"{context}: {thing.id} is still archived"
        for name, value in thing.values.items():
            here = side.board.entry(name, subject.values[name])
            assert here == value, f"{context}: {name} of {local_id}: here {here!r}, there {value!r}"

    def _check_writes(self, side: Side, context: str) -> None:
        """Check for at most one write per logical change: a change elsewhere, or an overruled edit there."""
        writes: dict[str, int] = {}
        for marker, _ in side.board.writes:
            writes[marker] = writes.get(marker, 0) + 1
        for written, count in writes.items():
            thing = next(t for t in side.board.things.values() if written in (t.marker, t.id))
            mine = side.session.integration.id
            identity = self._core_id(side, thing)
            changes = sum(1 for origin, _ in self.desk.changes[identity] if origin != mine)
            edits = sum(len(values) for (who, _), values in side.edits.items() if who in (identity, thing.id))
            assert count <= changes + edits, f"{context}: {count} writes for {changes} changes, {edits} edits"

    def _core_id(self, side: Side, thing: Thing) -> str:
        if thing.marker is not None:
            return self._interaction(side, thing)
        row = self.connection.execute(
            "SELECT local_id::text FROM sync_external_id_mappings"
            " WHERE integration_id = %s AND external_id = %s",
            (side.session.integration.id, thing.id),
        ).fetchone()
        assert row is not None
        return str(row[0])

    def _check_uncontested(self) -> None:
        """Check that a field edited at one place only holds its last edit everywhere."""
        for identity in self.ids:
            subject = read_interaction(self.connection, self.desk.tenant, self.desk.organization, identity)
            if subject is None:
                continue
            for name in ("title", "priority", "scheduled_at", "status"):
                here = self.local_edits.get((identity, name), [])
                there = [
                    (side, side.edits[identity, name])
                    for side in self.sides
                    if (identity, name) in side.edits
                ]
                if not here and len(there) == 1 and "?" not in there[0][1]:
                    side, values = there[0]
                    assert side.board.entry(name, subject.values[name]) == values[-1], (
                        f"seed {self.seed}: the edit of {name} of {identity} at {side.board.name} was lost"
                    )
                if here and not there and "?" not in here and name == "title":
                    assert subject.values[name] == here[-1], f"seed {self.seed}: a local edit was lost"
