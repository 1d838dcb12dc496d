"""Each kind of drift between interactions and their mirrors is found and repaired, at real servers.

The connectors get no event of the changes, as if it were lost; only the reconciler and the full listing run.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from connectors.store.drift import Drift
from connectors.store.mappings import mapping_of
from connectors.store.warnings import list_warnings
from connectors.sync.reconciler import reconcile, relist_provider
from runtime.postgres import connect
from runtime.settings import Settings
from tests.providers.asgi_thread import Switch, served
from tests.providers.radicale_server import radicale
from tests.providers.test_caldav import CaldavHarness
from tests.providers.test_trello import TrelloHarness
from tests.providers.test_two_mirrors import Mirror, Office
from tests.providers.trello_simulator import trello
from tests.providers.xandikos_server import xandikos
from tests.simulation.conftest import simulated_world
from tests.simulation.core import Core

__all__ = ["simulated_world"]

pytestmark = pytest.mark.integration
NONE = Drift(missed=0, orphaned=0, untended=0)


@pytest.fixture(scope="module", params=[radicale, xandikos], ids=["radicale", "xandikos"])
def servers(request: pytest.FixtureRequest, simulated_world: Settings) -> Iterator[tuple[Any, ...]]:
    switch = Switch()
    with (
        request.param() as dav_server,
        served(switch) as address,
        connect(simulated_world, application_name="drift", autocommit=True) as connection,
        connect(simulated_world, application_name="drift-core") as applying,
    ):
        yield dav_server, switch, address, connection, Core(applying)


@pytest.fixture
def office(servers: tuple[Any, ...]) -> Iterator[Office]:
    dav_server, switch, address, connection, core = servers
    with trello(switch) as simulator:
        dav, board = CaldavHarness(dav_server), TrelloHarness(simulator, address)
        yield Office(connection, core, dav, board)
        dav.close()
        board.context.http.close()


def unheard(office: Office, change: Callable[[], object]) -> None:
    """Make a change whose events never arrive."""
    change()
    office.desk.apply()
    office.desk.events.clear()


def compare(office: Office, grace: timedelta = timedelta(days=-1)) -> list[Drift]:
    """Run the reconcilers of both mirrors.

    :param grace: by default, no change is too young.
    """
    return [reconcile(it.session, office.connection, grace=grace) for it in office.mirrors]


def repaired(office: Office, expected: Drift, **options: timedelta) -> None:
    """Run the reconcilers, which find this drift, and none afterwards."""
    assert compare(office, **options) == [expected] * 2
    office.settle()
    assert compare(office) == [NONE] * 2


def test_no_drift_is_seen_where_there_is_none(office: Office) -> None:
    repaired(office, NONE)
    office.agree(title="Call Ada")


def test_a_change_at_a_provider_is_no_drift(office: Office) -> None:
    office.dav.edit(office.todo(), {"title": "Call Ada today"})
    office.settle()
    office.board.edit(office.card(), {"status": "done"})
    office.settle()
    repaired(office, NONE)
    office.agree(title="Call Ada today", status="done")


def test_a_missing_mirror_is_created(office: Office) -> None:
    office.interaction = str(uuid.uuid4())
    unheard(office, lambda: office.say("create", title="Call Grace", interactionType="call"))
    repaired(office, Drift(missed=1, orphaned=0, untended=0))
    assert (office.dav.object_count(), office.board.object_count()) == (2, 2)
    assert [_title(office, number) for number in (0, 1)] == ["Call Grace"] * 2


def test_a_stale_mirror_is_brought_up_to_date(office: Office) -> None:
    unheard(office, lambda: office.say("update", title="Call Ada today"))
    assert [_title(office, number) for number in (0, 1)] == ["Call Ada"] * 2
    repaired(office, Drift(missed=1, orphaned=0, untended=0))
    office.agree(title="Call Ada today")


def test_an_orphaned_mirror_is_archived(office: Office) -> None:
    todo, card = office.todo(), office.card()
    unheard(office, lambda: office.say("delete"))
    repaired(office, Drift(missed=0, orphaned=1, untended=0))
    assert "STATUS:CANCELLED" in office.dav.theirs(todo).data
    assert office.board.simulator.board.card(card)["closed"]


def test_an_untended_mirror_is_tended_again(office: Office) -> None:
    office.connection.execute("DELETE FROM sync_ledger WHERE tenant_id = %s", (office.desk.tenant,))
    office.dav.edit(office.todo(), {"title": "changed unseen"})
    # The interaction is too young to be missed, as one whose event is on its way.
    repaired(office, Drift(missed=0, orphaned=0, untended=1), grace=timedelta(days=1))
    office.agree(title="changed unseen")


@pytest.mark.parametrize("number", [0, 1], ids=["calendar", "board"])
def test_a_detached_mirror_is_reported_and_not_created_once_more(office: Office, number: int) -> None:
    """An object that was permanently deleted at the provider, as a full listing finds it."""
    harness = (office.dav, office.board)[number]
    mirror: Mirror = office.mirrors[number]
    harness.delete((office.todo, office.card)[number]())
    relist_provider(mirror.session, office.connection)
    office.settle()
    integration = mirror.session.integration.id
    mapping = mapping_of(office.connection, integration, office.interaction)
    assert mapping is not None
    assert mapping.gone
    (warning,) = list_warnings(office.connection, tenant_id=office.desk.tenant)
    assert (warning.kind, warning.integration_id) == ("detached", integration)
    here = office.here()
    assert here is not None
    assert here.values["status"] == "canceled", "as the policy says; the interaction stays"
    assert compare(office) == [NONE] * 2
    office.settle()
    assert harness.object_count() == 0


def _title(office: Office, number: int) -> Any:
    external = (office.todo, office.card)[number]()
    seen: Any = office.mirrors[number].session.provider.read(external)
    return seen.values["title"]
