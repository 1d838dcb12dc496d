"""Deletions at a provider: confirmed against the board, bounded in number, restored in one step."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.sync.initial_plan import apply_plan, make_plan
from connectors.sync.poller import poll
from connectors.sync.reconciler import relist_provider
from connectors.sync.resolution import resolve
from connectors.sync.restoration import find_restorable, restore
from runtime.postgres import Connection
from schemas.errors import Reject
from tests.simulation.core import Core
from tests.simulation.mirrored import Mirrored

pytestmark = pytest.mark.integration
Servers = tuple[Connection, Core]


def test_a_board_that_is_not_there_cancels_nothing(servers: Servers) -> None:
    world = Mirrored(*servers)
    calls = world.calls(5)
    world.board.vanished = True
    for identity in calls:
        world.say("update", identity, title="edited meanwhile")
    world.settle(polls=False)
    assert world.state()[0] == "needs_auth"
    assert world.statuses(calls) == {"planned": 5}
    assert world.warnings("detached") == []
    world.board.vanished = False
    world.activate()
    world.settle()
    assert {world.thing(identity).values["title"] for identity in calls} == {"edited meanwhile"}


@pytest.mark.parametrize("verb", ["delete", "undo"])
def test_a_missing_board_ends_no_mirror_of_a_deleted_interaction(servers: Servers, verb: str) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    thing = world.thing(identity)
    if verb == "undo":
        world.say("delete", identity)
        world.settle()
        assert thing.archived
    world.board.vanished = True
    if verb == "undo":
        world.desk.person("interaction.undo", {"undoToken": world.desk.tokens[identity][-1]})
    else:
        world.say("delete", identity)
    world.settle(polls=False)
    world.board.vanished = False
    world.activate()
    world.settle()
    assert thing.archived == (verb == "delete")
    assert list(world.board.things.values()) == [thing], "no second object"


def test_deletions_found_by_pushes_count_for_the_guard(servers: Servers) -> None:
    world = Mirrored(*servers)
    calls = world.calls(20)
    for identity in calls[:14]:
        world.erase(identity, told=False)
        world.say("update", identity, title="edited")
    world.settle(polls=False)
    state, reason = world.state()
    assert state == "needs_confirmation"
    assert "--accept-mass-change" in reason
    assert world.statuses(calls) == {"canceled": 10, "planned": 10}
    assert len(world.warnings("brake")) == 1

    found = make_plan(world.session, world.connection)
    with pytest.raises(Reject, match="--accept-mass-change") as refused:
        apply_plan(world.session, world.connection, found)
    assert refused.value.code == "mass_change"
    world.settle(polls=False)
    assert world.state()[0] == "needs_confirmation"
    assert world.statuses(calls) == {"canceled": 10, "planned": 10}

    apply_plan(world.session, world.connection, found, accept_mass_change=True)
    world.time += timedelta(minutes=2)
    world.settle()
    assert world.state()[0] == "active"
    assert world.statuses(calls) == {"canceled": 14, "planned": 6}
    assert world.warnings("brake") == []


def test_the_guard_counts_polls_and_pushes_together(servers: Servers) -> None:
    world = Mirrored(*servers)
    calls = world.calls(20)
    for identity in calls[:7]:
        world.erase(identity)
    world.settle()
    assert world.statuses(calls) == {"canceled": 7, "planned": 13}
    for identity in calls[7:12]:
        world.erase(identity)
    assert poll(world.session, world.connection).recorded is None
    assert world.state()[0] == "needs_confirmation"
    world.settle()
    assert world.statuses(calls) == {"canceled": 7, "planned": 13}


def test_deletions_of_long_ago_do_not_count(servers: Servers) -> None:
    world = Mirrored(*servers)
    calls = world.calls(20)
    for batch in (calls[:8], calls[8:15]):
        for identity in batch:
            world.erase(identity)
        world.settle()
        world.time += timedelta(hours=7)
    assert world.statuses(calls) == {"canceled": 15, "planned": 5}
    assert world.state()[0] == "active"


def test_only_live_mirrors_count_for_the_guard(servers: Servers) -> None:
    """This board reports old deletions in every full listing."""
    world = Mirrored(*servers, lists=False)
    calls = world.calls(16)
    with world.policy(most_deletions=100):
        for identity in calls[:15]:
            world.erase(identity)
        world.settle()
    world.time += timedelta(hours=7)
    for _ in range(2):
        assert relist_provider(world.session, world.connection).recorded is not None
    assert world.state()[0] == "active"
    assert world.statuses(calls) == {"canceled": 15, "planned": 1}


def test_a_plain_start_applies_no_mass_deletion(servers: Servers) -> None:
    world = Mirrored(*servers)
    calls = world.calls(16)
    for identity in calls[:12]:
        world.erase(identity)
    assert poll(world.session, world.connection).recorded is None
    with pytest.raises(Reject, match="12 of 16"):
        apply_plan(world.session, world.connection, make_plan(world.session, world.connection))
    assert world.state()[0] == "needs_confirmation"
    assert world.statuses(calls) == {"planned": 16}


def test_a_look_at_everything_finds_what_no_cursor_tells(servers: Servers) -> None:
    world = Mirrored(*servers)
    calls = world.calls(3)
    world.erase(calls[0], told=False)
    world.settle()
    assert world.statuses(calls) == {"planned": 3}, "no change reports it"
    relist_provider(world.session, world.connection)
    world.settle()
    assert world.statuses(calls) == {"canceled": 1, "planned": 2}
    assert [warning.interaction_id for warning in world.warnings("detached")] == [calls[0]]


def test_a_deletion_is_found_when_the_cursor_is_lost(servers: Servers) -> None:
    world = Mirrored(*servers)
    calls = world.calls(3)
    world.erase(calls[0], told=False)
    world.board.forgets = True
    world.settle()
    assert world.statuses(calls) == {"canceled": 1, "planned": 2}


def test_a_lost_cursor_does_not_pass_the_guard(servers: Servers) -> None:
    world = Mirrored(*servers)
    calls = world.calls(14)
    for identity in calls[:12]:
        world.erase(identity, told=False)
    world.board.forgets = True
    world.settle()
    assert world.state()[0] == "needs_confirmation"
    assert world.statuses(calls) == {"planned": 14}


def test_an_object_made_during_a_listing_is_not_missing(servers: Servers) -> None:
    world = Mirrored(*servers)
    world.calls(1)
    provider = world.session.provider
    listed = provider.changes(None)
    later = world.calls(1)
    provider.changes = lambda cursor: listed  # type: ignore[method-assign]
    row = world.connection.execute("SELECT clock_timestamp() - interval '1 hour'").fetchone()
    assert row is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connectors.sync.poller.Listing.begin", lambda _: _listing(row[0]))
        taken = relist_provider(world.session, world.connection).recorded
    assert taken is not None
    assert later[0] not in taken.marked


def _listing(began: object) -> object:
    from connectors.sync.listing import Listing

    return Listing(began=began)  # type: ignore[arg-type]


@pytest.mark.parametrize("back", [True, False])
def test_what_was_canceled_by_mistake_comes_back_in_one_step(servers: Servers, back: bool) -> None:
    world = Mirrored(*servers)
    calls = world.calls(4)
    things = {identity: world.thing(identity) for identity in calls}
    for identity in calls[:3]:
        world.erase(identity)
    world.settle()
    assert world.statuses(calls) == {"canceled": 3, "planned": 1}
    world.say("reopen", calls[1])
    world.settle()
    for identity in calls[:3]:
        things[identity].deleted = not back  # no change reports it
    integration = world.session.integration
    found = find_restorable(world.connection, integration, None)
    assert (len(found.mirrors), found.canceled) == (3, 2)
    assert not find_restorable(world.connection, integration, world.time + timedelta(1)).mirrors
    restore(world.connection, found, world.time)
    restore(world.connection, found, world.time)
    world.settle()
    assert world.statuses(calls) == {"planned": 4}
    assert world.warnings() == []
    for identity in calls:
        assert world.thing(identity).values["status"] == "planned"
        assert not world.thing(identity).deleted
        assert (world.thing(identity) is things[identity]) == (back or identity == calls[3])
    assert len([thing for thing in world.board.things.values() if not thing.deleted]) == 4
    assert not find_restorable(world.connection, integration, None).mirrors


def test_an_object_that_comes_back_is_linked_again(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    thing = world.thing(identity)
    world.erase(identity)
    world.settle()
    assert world.status(identity) == "canceled"
    thing.deleted = False
    thing.values["title"] = "changed there"
    world.board.changed(thing)
    world.settle()
    assert world.status(identity) == "planned"
    assert world.warnings() == []
    world.say("update", identity, title="changed here")
    world.settle()
    assert thing.values["title"] == "changed here"


def test_retry_of_a_detached_interaction_makes_one_new_object(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    world.erase(identity)
    world.settle()
    [warning] = world.warnings("detached")
    assert resolve(world.connection, [warning], "retry", by="ada", now=world.time)
    world.settle()
    assert world.status(identity) == "planned"
    assert world.thing(identity).values["status"] == "planned"
    assert not world.thing(identity).deleted
    assert len(world.board.things) == 2
    assert world.warnings() == []


def test_a_person_who_keeps_it_canceled_is_not_overruled(servers: Servers) -> None:
    world = Mirrored(*servers, on_remote_delete="keep")
    [identity] = world.calls(1)
    world.erase(identity)
    world.settle()
    assert world.status(identity) == "planned"
    world.say("cancel", identity)
    world.settle()
    resolve(world.connection, world.warnings("detached"), "retry", by="ada", now=world.time)
    world.settle()
    assert world.status(identity) == "canceled"
    assert world.mapping(identity) is None
    assert len(world.board.things) == 1
