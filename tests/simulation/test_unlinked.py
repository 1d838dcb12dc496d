"""Mirrors that move, are unreadable, or lost their ledger row: relinked, blocked, repaired."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.sdk.remote import ChangePage
from connectors.sync.initial_plan import make_plan
from connectors.sync.reconciler import reconcile
from runtime.postgres import Connection
from schemas.errors import Retry
from tests.simulation.core import Core
from tests.simulation.mirrored import Mirrored

pytestmark = pytest.mark.integration
Servers = tuple[Connection, Core]


@pytest.mark.parametrize("imports", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_an_object_under_another_id_is_linked_again(servers: Servers, imports: bool, late: bool) -> None:
    world = Mirrored(*servers)
    policy = {"create_if_unmapped": imports, "entity_id": world.desk.entity if imports else None}
    with world.policy(**policy):
        [identity] = world.calls(1)
        thing = world.thing(identity)
        if late:
            world.erase(identity)
            world.settle()
            assert world.status(identity) == "canceled"
            thing.deleted = False
        moved = world.board.move(thing)
        moved.values = {**moved.values, "title": "moved"}
        world.settle()
    assert world.thing(identity) is moved
    assert world.status(identity) == "planned"
    assert world.warnings() == []
    rows = world.connection.execute(
        "SELECT title FROM customer_interactions WHERE tenant_id = %s", (world.desk.tenant,)
    ).fetchall()
    assert rows == [("moved",)]
    world.say("update", identity, title="changed here")
    world.settle()
    assert moved.values["title"] == "changed here"


def test_an_object_that_was_moved_out_of_reach_is_let_go(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    thing = world.thing(identity)
    thing.elsewhere = "the card was moved to another board"
    world.board.changed(thing)
    world.settle()
    assert world.status(identity) == "planned", "no person canceled it"
    [warning] = world.warnings("detached")
    assert warning.detail.startswith("the card was moved to another board. Retry creates a new one")
    thing.elsewhere = None
    world.board.changed(thing)
    world.settle()
    assert world.thing(identity) is thing
    assert world.warnings() == []
    world.say("update", identity, title="changed here")
    world.settle()
    assert thing.values["title"] == "changed here"


def test_a_push_finds_an_object_under_its_new_id(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    moved = world.board.move(world.thing(identity))
    world.say("update", identity, title="changed here")
    world.settle(polls=False)
    assert world.thing(identity) is moved
    assert moved.values["title"] == "changed here"
    assert world.status(identity) == "planned"


def test_a_copy_of_a_mirror_does_not_take_its_place(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    thing = world.thing(identity)
    world.board.new_thing({**thing.values, "title": "a copy"}, thing.marker)
    world.settle()
    assert world.thing(identity) is thing
    assert thing.values["title"] == "Call 0"


@pytest.mark.parametrize("told", [True, False])
def test_what_is_due_waits_until_the_object_can_be_read(servers: Servers, told: bool) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    thing = world.thing(identity)
    thing.unreadable = True
    if told:
        world.board.changed(thing)
        world.settle()
        assert len(world.warnings("failed")) == 1, "it is noticed before anything is due"
    world.say("update", identity, title="one")
    world.settle()
    world.say("update", identity, title="two")
    world.settle()
    [warning] = world.warnings("failed")
    assert warning.interaction_id == identity
    assert "cannot be mirrored (unreadable)" in warning.detail
    thing.unreadable = False
    world.board.changed(thing)
    world.settle()
    assert thing.values["title"] == "two"
    assert world.warnings() == []


def test_a_deletion_here_waits_for_an_unreadable_object(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    thing = world.thing(identity)
    thing.unreadable = True
    world.say("delete", identity)
    world.settle()
    assert len(world.warnings("failed")) == 1
    thing.unreadable = False
    world.board.changed(thing)
    world.settle()
    assert thing.archived
    assert world.warnings() == []


def test_only_the_types_of_the_policy_are_mirrored(servers: Servers) -> None:
    world = Mirrored(*servers, only_types=("call",))
    call, note = world.call("a call"), world.call("a note", kind="note")
    world.settle()
    assert world.mapping(call) is not None
    assert world.mapping(note) is None
    assert [thing.values["title"] for thing in world.board.things.values()] == ["a call"]
    plan = make_plan(world.session, world.connection)
    assert plan.here == {"mirrored": 1, "skip: type not in the policy": 1}
    world.say("update", note, interactionType="call")
    world.settle()
    assert world.mapping(note) is not None, "its type is mirrored now"
    world.say("update", call, interactionType="note", title="still ours")
    world.settle()
    assert world.thing(call).values["title"] == "still ours", "an existing mirror is kept up to date"


def test_an_imported_object_with_an_unreadable_field_says_so(servers: Servers) -> None:
    world = Mirrored(*servers)
    with world.policy(create_if_unmapped=True, entity_id=world.desk.entity):
        [identity] = world.calls(1)
        readable = {**world.thing(identity).values, "title": "theirs"}
        thing = world.board.new_thing(readable, None)
        del thing.values["scheduled_at"]
        world.settle()
    [warning] = world.warnings("conflict")
    assert warning.interaction_id != identity
    assert (warning.field, warning.remote_value) == ("scheduled_at", None)
    assert "unreadable" in warning.detail


def test_a_field_that_becomes_readable_with_its_old_value_closes_the_warning(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    thing = world.thing(identity)
    title = thing.values.pop("title")
    world.board.changed(thing)
    world.settle()
    [warning] = world.warnings("conflict")
    assert (warning.field, warning.local_value) == ("title", title)
    thing.values["title"] = title
    world.board.changed(thing)
    world.settle()
    assert world.warnings() == []


def test_a_plan_ends_although_the_cursor_does_not_advance(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Mirrored(*servers)
    cursors: list[str | None] = []

    def stuck(cursor: str | None) -> ChangePage:
        cursors.append(cursor)
        assert len(cursors) < 10, "the plan does not end"
        return ChangePage(changes=(), cursor="t", more=True)

    monkeypatch.setattr(world.session.provider, "changes", stuck)
    with pytest.raises(Retry, match="does not advance"):
        make_plan(world.session, world.connection)
    assert cursors == [None, "t"]


def test_a_mirror_of_nothing_is_archived(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    thing = world.thing(identity)
    world.say("delete", identity)
    world.desk.apply()
    world.desk.events.clear()  # the connectors get no event
    drift = reconcile(world.session, world.connection, grace=timedelta(days=-1))
    assert (drift.missed, drift.orphaned, drift.untended) == (0, 1, 0)
    world.settle()
    assert thing.archived
    assert reconcile(world.session, world.connection, grace=timedelta(days=-1)).orphaned == 0


def test_a_moved_mirror_of_a_removed_integration_is_found(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    thing = world.thing(identity)
    assert world.remove_and_add_again().there == {"link": 1}
    world.settle()
    moved = world.board.move(thing)
    world.say("update", identity, title="changed here")
    world.settle(polls=False)
    assert world.thing(identity) is moved
    assert (moved.values["title"], world.status(identity)) == ("changed here", "planned")
    assert len(world.board.things) == 2, "the old object and the new one"


def test_a_mirror_that_the_ledger_lost_is_tended_again(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    world.connection.execute("DELETE FROM sync_ledger WHERE interaction_id = %s", (identity,))
    world.thing(identity).values["title"] = "changed unseen"
    drift = reconcile(world.session, world.connection, grace=timedelta(days=1))
    assert (drift.missed, drift.orphaned, drift.untended) == (0, 0, 1)
    world.settle(polls=False)
    row = world.connection.execute("SELECT title FROM customer_interactions WHERE id = %s", (identity,))
    assert row.fetchone() == ("changed unseen",)
    assert len(world.board.things) == 1


def test_a_version_that_no_event_told_of_is_found(servers: Servers) -> None:
    world = Mirrored(*servers)
    [identity] = world.calls(1)
    world.say("update", identity, title="untold")
    world.desk.apply()
    world.desk.events.clear()
    assert reconcile(world.session, world.connection, grace=timedelta(days=-1)).missed == 1
    world.settle(polls=False)
    assert world.thing(identity).values["title"] == "untold"
