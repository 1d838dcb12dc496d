"""To-dos written by other clients, mirrored by the engine itself on a real Postgres.

The server is Xandikos, which stores every object byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.store.mappings import mapping_of
from connectors.store.warnings import list_warnings
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.instants import format_instant
from tests.providers.asgi_thread import Switch, served
from tests.providers.test_caldav import CaldavHarness
from tests.providers.test_trello import TrelloHarness
from tests.providers.test_two_mirrors import Office
from tests.providers.test_vtodo import stored
from tests.providers.trello_simulator import trello
from tests.providers.xandikos_server import xandikos
from tests.simulation.conftest import simulated_world
from tests.simulation.core import Core

__all__ = ["simulated_world"]

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def servers(simulated_world: Settings) -> Iterator[tuple[Any, ...]]:
    switch = Switch()
    with (
        xandikos() as server,
        served(switch) as address,
        trello(switch) as simulator,
        connect(simulated_world, application_name="calendar", autocommit=True) as connection,
        connect(simulated_world, application_name="calendar-core") as applying,
    ):
        yield server, address, simulator, connection, Core(applying)


@pytest.fixture
def new_office(servers: tuple[Any, ...]) -> Iterator[Callable[[], Office]]:
    server, address, simulator, connection, core = servers
    with ExitStack() as open_things:

        def make() -> Office:
            dav, board = CaldavHarness(server), TrelloHarness(simulator, address)
            open_things.callback(dav.close)
            open_things.callback(board.context.http.close)
            return Office(connection, core, dav, board)

        yield make


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def becomes(office: Office, name: str) -> None:
    """Replace our to-do's text by this object's, as another client; the UID stays."""
    uid = re.search(rb"\nUID:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", office.dav.raw(office.todo()))
    assert uid is not None
    office.dav.overwrite(office.todo(), re.sub(rb"\nUID:[^\r\n]*", lambda _: uid[0], stored(name)))
    office.settle()


def values(office: Office) -> dict[str, Any]:
    here = office.here()
    assert here is not None
    return dict(here.values)


def lines(office: Office) -> list[str]:
    return office.dav.raw(office.todo()).decode().replace("\r\n", "\n").split("\n")


def at_rest(office: Office) -> None:
    """Assert that both sides agree and no write is due."""
    puts, _ = office.writes()
    office.settle()
    assert office.writes()[0] == puts
    assert list_warnings(office.connection, tenant_id=office.desk.tenant) == []


def test_each_object_has_its_own_zone(new_office: Callable[[], Office]) -> None:
    first, second = new_office(), new_office()
    becomes(first, "custom-a")
    becomes(second, "custom-b")
    assert values(first)["scheduled_at"] == at(2028, 6, 1, 8)
    assert values(second)["scheduled_at"] == at(2028, 6, 1, 15)


def test_a_schedule_that_is_cleared_here_is_cleared_there(new_office: Callable[[], Office]) -> None:
    office = new_office()
    becomes(office, "duration-clear")
    assert values(office)["scheduled_at"] == at(2028, 6, 1, 9, 30)
    office.say("update", scheduledAt=None)
    office.settle()
    assert not {"DUE", "DURATION"} & {line.partition(":")[0] for line in lines(office)}
    at_rest(office)


def test_an_all_day_range_moves_as_a_whole(new_office: Callable[[], Office]) -> None:
    office = new_office()
    becomes(office, "allday-range-later")
    assert values(office)["scheduled_at"] == at(2028, 6, 1, 14, 30), "another date, the same time of day"
    office.say("update", scheduledAt="2028-06-10T09:00:00Z")
    office.settle()
    assert {"DTSTART;VALUE=DATE:20280608", "DUE;VALUE=DATE:20280610"} <= set(lines(office))
    assert "TRIGGER;RELATED=START:-PT15M" in lines(office)
    at_rest(office)


def test_a_date_on_the_same_day_keeps_the_time_here(new_office: Callable[[], Office]) -> None:
    office = new_office()
    office.say("update", scheduledAt="2028-06-01T15:30:00Z")
    office.settle()
    data = office.dav.raw(office.todo())
    office.dav.overwrite(office.todo(), data.replace(b"DUE:20280601T153000Z", b"DUE;VALUE=DATE:20280601"))
    office.settle()
    assert values(office)["scheduled_at"] == at(2028, 6, 1, 15, 30)
    assert "DUE;VALUE=DATE:20280601" in lines(office)
    at_rest(office)


def test_the_moment_of_completion_goes_both_ways(new_office: Callable[[], Office]) -> None:
    office = new_office()
    data = office.dav.raw(office.todo())
    done = b"STATUS:COMPLETED\r\nCOMPLETED:20260302T101112Z"
    office.dav.overwrite(office.todo(), data.replace(b"STATUS:NEEDS-ACTION", done))
    office.settle()
    assert values(office)["status"] == "done"
    assert values(office)["occurred_at"] == at(2026, 3, 2, 10, 11, 12)
    office.say("reopen")
    office.settle()
    assert not any(line.startswith("COMPLETED") for line in lines(office))
    office.say("complete", occurredAt="2026-03-04T05:06:07Z")
    office.settle()
    assert {"STATUS:COMPLETED", "COMPLETED:20260304T050607Z"} <= set(lines(office))
    at_rest(office)


def test_a_to_do_without_a_moment_of_completion_gets_ours(new_office: Callable[[], Office]) -> None:
    office = new_office()
    data = office.dav.raw(office.todo())
    office.dav.overwrite(office.todo(), data.replace(b"STATUS:NEEDS-ACTION", b"STATUS:COMPLETED"))
    office.settle()
    moment = values(office)["occurred_at"]
    assert f"COMPLETED:{moment:%Y%m%dT%H%M%SZ}" in lines(office)
    at_rest(office)


def test_an_undone_deletion_brings_the_object_back_as_it_was(new_office: Callable[[], Office]) -> None:
    office = new_office()
    becomes(office, "undo")
    stamps = ("SEQUENCE", "DTSTAMP", "LAST-MODIFIED")
    before = [line for line in lines(office) if not line.startswith(stamps)]
    office.say("delete")
    office.settle()
    assert "STATUS:CANCELLED" in lines(office)
    office.undo()
    office.settle()
    assert [line for line in lines(office) if not line.startswith(stamps)] == before
    at_rest(office)


def test_a_field_that_cannot_be_read_is_told_and_holds_up_no_other(new_office: Callable[[], Office]) -> None:
    office = new_office()
    due = values(office)["scheduled_at"]
    data = office.dav.raw(office.todo())
    broken = data.replace(b"\nDUE:20310506T143000Z", b"\nDUE:29990506T143000Z")
    office.dav.overwrite(office.todo(), broken.replace(b"SUMMARY:Call Ada", b"SUMMARY:Call Ada today"))
    office.settle()
    assert (values(office)["title"], values(office)["scheduled_at"]) == ("Call Ada today", due)
    (warning,) = list_warnings(office.connection, tenant_id=office.desk.tenant)
    assert (warning.kind, warning.field) == ("conflict", "scheduled_at")
    assert "unreadable" in warning.detail
    mapping = mapping_of(office.connection, office.mirrors[0].session.integration.id, office.interaction)
    assert mapping is not None
    assert (mapping.extra or {})["unreadable"] == ["scheduled_at"]
    moment = at(2031, 5, 7, 8)
    office.say("update", scheduledAt=format_instant(moment))
    office.settle()
    assert "DUE:20310507T080000Z" in lines(office)
    at_rest(office)


def test_odd_texts_arrive_as_they_are_meant(new_office: Callable[[], Office]) -> None:
    office = new_office()
    becomes(office, "two-descriptions")
    assert (values(office)["title"], values(office)["body"]) == ("two descriptions", "one")
    becomes(office, "prio10")
    assert (values(office)["title"], values(office)["priority"]) == ("prio 10", 0)
    at_rest(office)
