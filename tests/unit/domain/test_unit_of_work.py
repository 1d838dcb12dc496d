"""Rows to write after a fold: final states only."""

from __future__ import annotations

from tests.unit.domain.commands import ADA, Publisher, at, interaction_id
from tests.unit.domain.store import Store

ONE = {"id": interaction_id(1)}


def stored(log: Publisher) -> Publisher:
    """Copy the rows, as if loaded from the store for a new batch."""
    store = Store()
    store.write(log.work, [])
    fresh = Publisher()
    fresh.offset, fresh.minutes = log.offset, log.minutes
    fresh.work.entities.update(store.entities)
    fresh.work.dictionaries.update(store.dictionaries)
    fresh.work.journal.update(log.work.journal)
    for row in store.interactions.values():
        fresh.work.load_interaction(row)
    return fresh


def test_created_and_deleted_in_one_batch_is_written_nowhere(log: Publisher) -> None:
    log.plan(1, 60)
    log.applied("interaction.delete", ONE)
    assert log.work.changed_interactions() == ([], [], [])


def test_created_and_changed_in_one_batch_is_inserted_once(log: Publisher) -> None:
    log.plan(1, 60)
    log.applied("interaction.complete", ONE)
    assert log.work.changed_interactions() == ([log.work.interactions[interaction_id(1)]], [], [])


def test_changed_twice_is_updated_once(log: Publisher) -> None:
    log.plan(1, 60)
    log.plan(2, 60)
    batch = stored(log)
    batch.applied("interaction.update", {**ONE, "title": "x"})
    batch.applied("interaction.complete", ONE)
    assert batch.work.changed_interactions() == ([], [batch.work.interactions[interaction_id(1)]], [])
    assert batch.work.changed_entities() == ([], [batch.work.entities[ADA]])


def test_deleted_and_brought_back_is_updated(log: Publisher) -> None:
    log.plan(1, 60)
    batch = stored(log)
    batch.applied("interaction.delete", ONE, command_id="delete")
    assert batch.work.changed_interactions() == ([], [], [interaction_id(1)])
    batch.applied("interaction.undo", {"commandId": "delete"})
    assert batch.work.changed_interactions() == ([], [batch.work.interactions[interaction_id(1)]], [])


def test_a_batch_that_changes_nothing_writes_nothing(log: Publisher) -> None:
    log.plan(1, 60)
    batch = stored(log)
    batch.send("interaction.update", {**ONE, "scheduledAt": at(60)})
    batch.send("interaction.reopen", ONE)
    batch.send("interaction.complete", {**ONE, "validateOnly": True})
    work = batch.work
    assert (work.changed_interactions(), work.changed_entities()) == (([], [], []), ([], []))
    assert (work.changed_types(), work.changed_strictness(), work.changed_deals()) == ([], [], ([], []))


def test_a_row_may_be_loaded_twice(log: Publisher) -> None:
    log.plan(1, 60)
    log.work.load_interaction(log.work.interactions[interaction_id(1)])
    log.applied("interaction.complete", ONE)
    assert log.next_number is None
