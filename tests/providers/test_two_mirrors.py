"""One interaction mirrored to a real CalDAV server and to Trello at once, by the engine itself.

The core is the applier's own transaction on a real Postgres. Remote edits go through the `caldav` library and
the simulator's board.
"""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sdk.declaration import Declaration
from connectors.service.open_session import utc_now
from connectors.store.integrations import insert_integration
from connectors.store.interactions import InteractionState, read_interaction
from connectors.store.ledger_marks import mark_local
from connectors.store.mappings import mapping_of
from connectors.store.removal import remove_integration
from connectors.store.warnings import list_warnings
from connectors.sync.adoption import owner_of
from connectors.sync.change_marks import marks_for_event
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.initial_plan import apply_plan, make_plan
from connectors.sync.policy import Policy
from connectors.sync.poller import poll
from connectors.sync.session import Session
from connectors.sync.worker import Worker
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.instants import format_instant
from tests.harness.integrations import an_integration
from tests.providers.asgi_thread import Switch, served
from tests.providers.radicale_server import radicale
from tests.providers.test_caldav import CaldavHarness
from tests.providers.test_trello import TrelloHarness
from tests.providers.trello_simulator import trello
from tests.simulation.conftest import simulated_world
from tests.simulation.core import Core, Desk

__all__ = ["simulated_world"]

pytestmark = pytest.mark.integration


@dataclass
class Mirror:
    """One integration."""

    session: Session
    breaker: CircuitBreaker


class Office:
    """A tenant with one interaction and two mirrors of it."""

    def __init__(self, connection: Connection, core: Core, dav: CaldavHarness, board: TrelloHarness) -> None:
        self.connection, self.dav, self.board = connection, dav, board
        self.desk = Desk(core, utc_now, random.Random(uuid.uuid4().int))
        self.mirrors = [self._mirror(each.declaration, each.provider) for each in (dav, board)]
        self.interaction = str(uuid.uuid4())
        due = datetime(2031, 5, 6, 14, 30, tzinfo=UTC)
        self.say(
            "create",
            title="Call Ada",
            body="About the engine",
            interactionType="call",
            priority=40,
            scheduledAt=format_instant(due),
        )
        self.settle()

    def _mirror(self, declaration: Declaration, provider: Any) -> Mirror:
        identity = f"{declaration.name}-{self.desk.tenant}"
        integration = an_integration(
            identity, self.desk.tenant, self.desk.organization, provider=declaration.name
        )
        insert_integration(self.connection, integration)
        session = Session(
            integration=integration,
            declaration=declaration,
            provider=provider,
            policy=Policy(),
            send=self.desk.send,
            now=utc_now,
        )
        return Mirror(session, CircuitBreaker(utc_now))

    def remove(self) -> None:
        """Remove both integrations; their objects stay at the providers."""
        for mirror in self.mirrors:
            assert remove_integration(self.connection, mirror.session.integration) == 1

    def add_again(self) -> None:
        """Add both again under new ids, and confirm their plans."""
        for mirror in self.mirrors:
            former = mirror.session.integration
            integration = replace(former, id=f"{former.id}-again")
            assert insert_integration(self.connection, integration)
            mirror.session = replace(mirror.session, integration=integration)
            found = make_plan(mirror.session, self.connection)
            assert found.there["link"] == 1
            apply_plan(mirror.session, self.connection, found)

    def say(self, verb: str, **data: Any) -> None:
        """Apply a local command."""
        self.desk.person(f"interaction.{verb}", {"id": self.interaction, **data})
        self.desk.apply()

    def undo(self) -> None:
        """Undo the last local command."""
        token = self.desk.tokens[self.interaction][-1]
        self.desk.person("interaction.undo", {"undoToken": token})
        self.desk.apply()

    def settle(self) -> None:
        """Run until nothing is due and nothing changes."""
        deadline = time.monotonic() + 90
        quiet = 0
        while quiet < 2:
            assert time.monotonic() < deadline, f"no rest: {self.due()}"
            before = self.moves()
            self.round()
            quiet = quiet + 1 if before == self.moves() and not self.due() else 0

    def round(self) -> None:
        """Run the agent, the pollers and the workers once."""
        self.desk.apply()
        events, self.desk.events = self.desk.events, []
        integrations = [mirror.session.integration for mirror in self.mirrors]
        marks = [
            mark
            for kind, payload in events
            if "changedFields" in payload
            for mark in marks_for_event(kind, payload, integrations)
        ]
        with self.connection.transaction():
            mark_local(self.connection, marks, utc_now())
        for mirror in self.mirrors:
            with contextlib.suppress(Retry):
                poll(mirror.session, self.connection)
            worker = Worker(mirror.session, self.connection, uuid.uuid4().hex, mirror.breaker)
            worker.work(most=20)

    def moves(self) -> tuple[int, int, int, int]:
        """Counts of all writes: provider requests, pulls and core changes."""
        return (*self.writes(), self.desk.pulled, sum(map(len, self.desk.changes.values())))

    def writes(self) -> tuple[int, int]:
        """Writes to CalDAV and to Trello."""
        puts = sum(request.method == "PUT" for request in self.dav.transport.sent)
        return puts, self.board.simulator.writes

    def due(self) -> int:
        row = self.connection.execute(
            "SELECT count(*) FROM sync_ledger WHERE tenant_id = %s"
            " AND (next_attempt_at IS NOT NULL OR pending IS NOT NULL)",
            (self.desk.tenant,),
        ).fetchone()
        return int(row[0]) if row else 0

    def here(self) -> InteractionState | None:
        return read_interaction(self.connection, self.desk.tenant, self.desk.organization, self.interaction)

    def todo(self) -> str:
        """External id of the CalDAV mirror."""
        return self._external(0)

    def card(self) -> str:
        """External id of the Trello mirror."""
        return self._external(1)

    def _external(self, number: int) -> str:
        mapping = mapping_of(self.connection, self.mirrors[number].session.integration.id, self.interaction)
        assert mapping is not None
        return mapping.external_id

    def agree(self, **values: Any) -> None:
        """Assert that both mirrors and the core hold these values, in one object each, without a warning."""
        here = self.here()
        assert here is not None
        assert {name: here.values[name] for name in values} == values
        for mirror, external in zip(self.mirrors, (self.todo(), self.card()), strict=True):
            seen: Any = mirror.session.provider.read(external)
            for field in mirror.session.declaration.fields:
                assert seen.values[field.name] == field.coarse(here.values[field.name]), field.name
        assert (self.dav.object_count(), self.board.object_count()) == (1, 1)
        assert list_warnings(self.connection, tenant_id=self.desk.tenant) == []


@pytest.fixture(scope="module")
def servers(simulated_world: Settings) -> Iterator[Callable[[], Any]]:
    switch = Switch()
    with (
        radicale() as dav_server,
        served(switch) as address,
        connect(simulated_world, application_name="mirrors", autocommit=True) as connection,
        connect(simulated_world, application_name="mirrors-core") as applying,
    ):
        core = Core(applying)

        def stages() -> Any:
            return connection, core, dav_server, switch, address

        yield stages


@pytest.fixture
def office(servers: Callable[[], Any]) -> Iterator[Office]:
    connection, core, dav_server, switch, address = servers()
    with trello(switch) as simulator:
        dav, board = CaldavHarness(dav_server), TrelloHarness(simulator, address)
        yield Office(connection, core, dav, board)
        dav.close()
        board.context.http.close()


def test_a_change_goes_round_once(office: Office) -> None:
    office.agree(title="Call Ada", status="planned", priority=40)
    puts, posts = office.writes()
    office.dav.edit(office.todo(), {"title": "Call Ada today"})
    office.settle()
    office.agree(title="Call Ada today", priority=40)
    assert office.writes() == (puts, posts + 1), "one write to Trello, none back to CalDAV"
    office.board.edit(office.card(), {"status": "done"})
    office.settle()
    office.agree(status="done")
    assert office.writes() == (puts + 1, posts + 1), "one write to CalDAV, none back to Trello"
    assert "STATUS:COMPLETED" in office.dav.theirs(office.todo()).data


def test_integrations_that_are_removed_and_added_again_adopt_their_mirrors(office: Office) -> None:
    todo, card = office.todo(), office.card()
    office.remove()
    office.say("update", title="changed in between")
    office.add_again()
    office.settle()
    assert (office.todo(), office.card()) == (todo, card)
    office.agree(title="changed in between", priority=40)
    office.dav.edit(todo, {"body": "from the calendar"})
    office.settle()
    office.agree(title="changed in between", body="from the calendar")


def test_markers_of_another_tenants_removed_integration_are_not_adopted(office: Office) -> None:
    session = office.mirrors[0].session
    marker = session.marker(office.interaction)
    office.remove()
    ours = an_integration("calendar-of-ours", office.desk.tenant, office.desk.organization)
    others = replace(ours, tenant_id=str(uuid.uuid4()))
    assert owner_of(replace(session, integration=ours), office.connection, marker) == office.interaction
    assert owner_of(replace(session, integration=others), office.connection, marker) is None


def test_three_people_edit_at_once(office: Office) -> None:
    due = datetime(2031, 8, 9, 10, 11, 12, tzinfo=UTC)
    office.dav.edit(office.todo(), {"body": "from the calendar"})
    office.board.edit(office.card(), {"scheduled_at": due})
    office.say("update", title="from here", priority=81)
    office.settle()
    office.agree(title="from here", body="from the calendar", scheduled_at=due, priority=81)


def test_a_deletion_that_is_undone_brings_the_same_objects_back(office: Office) -> None:
    todo, card = office.todo(), office.card()
    office.say("delete")
    office.settle()
    assert office.here() is None
    assert office.board.simulator.board.card(card)["closed"]
    assert "STATUS:CANCELLED" in office.dav.theirs(todo).data
    office.undo()
    office.settle()
    assert (office.todo(), office.card()) == (todo, card)
    office.agree(title="Call Ada", status="planned", priority=40)


def test_changes_during_an_outage_arrive_as_one_call(office: Office) -> None:
    puts, posts = office.writes()
    with office.board.outage():
        for number in range(10):
            office.say("update", title=f"title {number}")
            office.round()
    office.settle()
    office.agree(title="title 9")
    after_puts, after_posts = office.writes()
    assert after_posts == posts + 1
    assert after_puts <= puts + 10


def test_a_lost_answer_makes_no_second_object(office: Office) -> None:
    office.interaction = str(uuid.uuid4())
    with office.dav.lost_responses(), office.board.lost_responses():
        office.say("create", title="Call Grace", interactionType="call")
        office.round()
    assert (office.dav.object_count(), office.board.object_count()) == (2, 2), "created, result not recorded"
    office.settle()
    assert (office.dav.object_count(), office.board.object_count()) == (2, 2)
    assert office.todo().endswith(".ics")
    assert office.card() in office.board.simulator.board.cards


def test_the_finer_value_stays_here(office: Office) -> None:
    moment = datetime(2031, 5, 6, 14, 30, 5, 678901, tzinfo=UTC)
    office.say("update", scheduledAt=format_instant(moment), priority=43)
    office.settle()
    office.board.edit(office.card(), {"title": "theirs"})
    office.settle()
    office.agree(scheduled_at=moment, priority=43, title="theirs")
