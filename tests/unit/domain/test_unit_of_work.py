"""What the store must write after a fold: final states only."""

from __future__ import annotations

from tests.unit.domain.commands import ADA, Publisher, at, interaction_id
from tests.unit.domain.store import Store

ONE = {"id": interaction_id(1)}


def stored(log: Publisher) -> Publisher:
    """The same rows, as if loaded from the store for a new batch."""
    store = Store()
    store.write(log.world, [])
    fresh = Publisher()
    fresh.offset, fresh.minutes = log.offset, log.minutes
    fresh.world.entities.update(store.entities)
    fresh.world.dictionaries.update(store.dictionaries)
    fresh.world.log.update(log.world.log)
    for row in store.interactions.values():
        fresh.world.load_interaction(row)
    return fresh


def test_created_and_deleted_in_one_batch_is_written_nowhere(log: Publisher) -> None:
    log.plan(1, 60)
    log.applied("interaction.delete", ONE)
    assert log.world.changed_interactions() == ([], [], [])


def test_created_and_changed_in_one_batch_is_inserted_once(log: Publisher) -> None:
    log.plan(1, 60)
    log.applied("interaction.complete", ONE)
    assert log.world.changed_interactions() == ([log.world.interactions[interaction_id(1)]], [], [])


def test_changed_twice_is_updated_once(log: Publisher) -> None:
    log.plan(1, 60)
    log.plan(2, 60)
    batch = stored(log)
    batch.applied("interaction.update", {**ONE, "title": "x"})
    batch.applied("interaction.complete", ONE)
    assert batch.world.changed_interactions() == ([], [batch.world.interactions[interaction_id(1)]], [])
    assert batch.world.changed_entities() == ([], [batch.world.entities[ADA]])


def test_deleted_and_brought_back_is_updated(log: Publisher) -> None:
    log.plan(1, 60)
    batch = stored(log)
    batch.applied("interaction.delete", ONE, command_id="delete")
    assert batch.world.changed_interactions() == ([], [], [interaction_id(1)])
    batch.applied("interaction.undo", {"commandId": "delete"})
    assert batch.world.changed_interactions() == ([], [batch.world.interactions[interaction_id(1)]], [])


def test_a_batch_that_changes_nothing_writes_nothing(log: Publisher) -> None:
    log.plan(1, 60)
    batch = stored(log)
    batch.send("interaction.update", {**ONE, "scheduledAt": at(60)})
    batch.send("interaction.reopen", ONE)
    batch.send("interaction.complete", {**ONE, "validateOnly": True})
    world = batch.world
    assert (world.changed_interactions(), world.changed_entities()) == (([], [], []), ([], []))
    assert (world.changed_types(), world.changed_strictness(), world.changed_deals()) == ([], [], ([], []))


def test_a_row_may_be_loaded_twice(log: Publisher) -> None:
    log.plan(1, 60)
    log.world.load_interaction(log.world.interactions[interaction_id(1)])
    log.applied("interaction.complete", ONE)
    assert log.next_number is None
