"""One tenant mirrored to one in-memory board, driven step by step."""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.store.integrations import insert_integration, read_integration, set_state
from connectors.store.interactions import read_interaction
from connectors.store.ledger_marks import mark_local
from connectors.store.mappings import Mapping, mapping_of
from connectors.store.removal import remove_integration
from connectors.store.warnings import SyncWarning, list_warnings
from connectors.sync.change_marks import marks_for_event
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.initial_plan import InitialPlan, apply_plan, make_plan
from connectors.sync.policy import Policy
from connectors.sync.poller import poll
from connectors.sync.session import Session
from connectors.sync.worker import Worker
from runtime.postgres import Connection
from tests.harness.integrations import an_integration
from tests.simulation.board import Board, BoardProvider, Thing, declaration_of
from tests.simulation.core import Core, Desk


class Mirrored:
    """Tenant, integration, board, and a clock that advances with each round."""

    def __init__(self, connection: Connection, core: Core, *, lists: bool = True, **policy: Any) -> None:
        self.connection = connection
        self.time = datetime.now(UTC)
        chance = random.Random(uuid.uuid4().int)
        self.desk = Desk(core, self.now, chance)
        self.board = Board(
            name=f"M{uuid.uuid4().hex[:6]}-",
            clock=self.now,
            chance=chance,
            lossy=False,
            conditional=True,
            lists=lists,
        )
        integration = an_integration(f"m-{self.desk.tenant}", self.desk.tenant, self.desk.organization)
        insert_integration(connection, integration)
        self.id = integration.id
        self.session = Session(
            integration=integration,
            declaration=declaration_of(self.board),
            provider=BoardProvider(self.board),
            policy=Policy(**policy),
            send=self.desk.send,
            now=self.now,
        )
        self.breaker = CircuitBreaker(self.now)
        self.runs = 0

    def now(self) -> datetime:
        return self.time

    def call(self, title: str = "Ring back", kind: str = "call") -> str:
        identity = str(uuid.uuid4())
        data = {"id": identity, "interactionType": kind, "title": title, "priority": 60}
        self.desk.person("interaction.create", data)
        return identity

    def calls(self, count: int) -> list[str]:
        made = [self.call(f"Call {number}") for number in range(count)]
        self.settle()
        return made

    def say(self, verb: str, identity: str, **data: Any) -> None:
        self.desk.person(f"interaction.{verb}", {"id": identity, **data})

    def settle(self, rounds: int = 12, *, polls: bool = True) -> None:
        """Run agent, poll and worker until nothing is due or the integration stops."""
        for _ in range(rounds):
            self.time += timedelta(seconds=2)
            self.desk.apply()
            events, self.desk.events = self.desk.events, []
            marks = [
                mark
                for kind, payload in events
                if "changedFields" in payload
                for mark in marks_for_event(kind, payload, [self.session.integration])
            ]
            with self.connection.transaction():
                mark_local(self.connection, marks, self.time)
            if self.state()[0] != "active":
                return
            if polls:
                poll(self.session, self.connection)
            self.work()

    def work(self) -> None:
        for _ in range(60):
            self.runs += 1
            worker = Worker(self.session, self.connection, f"{self.id}{self.runs}", self.breaker)
            if self.state()[0] != "active" or not worker.work(most=1):
                return

    def remove_and_add_again(self) -> InitialPlan:
        """Remove the integration, add it under a new id, and confirm its plan."""
        former = self.session.integration
        assert remove_integration(self.connection, former) is not None
        integration = replace(former, id=f"{former.id}-again")
        assert insert_integration(self.connection, integration)
        self.id = integration.id
        self.session = replace(self.session, integration=integration)
        plan = make_plan(self.session, self.connection)
        apply_plan(self.session, self.connection, plan)
        return plan

    def state(self) -> tuple[str, str]:
        found = read_integration(self.connection, self.id)
        assert found is not None
        return found.state, found.state_reason or ""

    def activate(self) -> None:
        set_state(self.connection, self.id, "active", None)

    def mapping(self, identity: str) -> Mapping | None:
        return mapping_of(self.connection, self.id, identity)

    def thing(self, identity: str) -> Thing:
        mapping = self.mapping(identity)
        assert mapping is not None
        return self.board.things[mapping.external_id]

    def status(self, identity: str) -> str:
        subject = read_interaction(self.connection, self.desk.tenant, self.desk.organization, identity)
        assert subject is not None
        return str(subject.values["status"])

    def statuses(self, identities: list[str]) -> dict[str, int]:
        found = [self.status(identity) for identity in identities]
        return {status: found.count(status) for status in sorted(set(found))}

    def warnings(self, kind: str | None = None) -> list[SyncWarning]:
        found = list_warnings(self.connection, integration_id=self.id)
        return [warning for warning in found if kind in (None, warning.kind)]

    def erase(self, identity: str, *, told: bool = True) -> None:
        """Permanently delete the object as a person would.

        :param told: the board reports the deletion.
        """
        thing = self.thing(identity)
        thing.deleted = True
        if told:
            self.board.changed(thing, "gone")

    def edit(self, identity: str, **values: Any) -> None:
        thing = self.thing(identity)
        thing.values.update(values)
        self.board.changed(thing)

    @contextlib.contextmanager
    def policy(self, **changes: Any) -> Iterator[None]:
        before = self.session
        self.session = replace(before, policy=before.policy.model_copy(update=changes))
        try:
            yield
        finally:
            self.session = before
