"""Rows to write after a fold: final states only."""

from __future__ import annotations

from domain.record_set import Changes
from tests.unit.domain.commands import ADA, Publisher, at, interaction_id
from tests.unit.domain.store import Store

ONE = {"id": interaction_id(1)}


def stored(log: Publisher) -> Publisher:
    """Copy the rows, as if loaded from the store for a new batch."""
    store = Store()
    store.write(log.work, [])
    fresh = Publisher()
    fresh.offset, fresh.minutes = log.offset, log.minutes
    for kind, rows in store.tables.items():
        for row in rows.values():
            fresh.work.sets[kind].load(row)
    fresh.work.scopes.update(log.work.scopes)
    fresh.work.journal.update(log.work.journal)
    return fresh


def test_created_and_deleted_in_one_batch_is_written_nowhere(log: Publisher) -> None:
    log.plan(1, 60)
    log.applied("interaction.delete", ONE)
    assert log.work.interactions.changes() == Changes()


def test_created_and_changed_in_one_batch_is_inserted_once(log: Publisher) -> None:
    log.plan(1, 60)
    log.applied("interaction.complete", ONE)
    assert log.work.interactions.changes() == Changes([log.work.interactions[interaction_id(1)]], [], [])


def test_changed_twice_is_updated_once(log: Publisher) -> None:
    log.plan(1, 60)
    log.plan(2, 60)
    batch = stored(log)
    batch.applied("interaction.update", {**ONE, "title": "x"})
    batch.applied("interaction.complete", ONE)
    assert batch.work.interactions.changes() == Changes([], [batch.work.interactions[interaction_id(1)]], [])
    assert batch.work.entities.changes() == Changes([], [batch.work.entities[ADA]])


def test_deleted_and_brought_back_is_updated(log: Publisher) -> None:
    log.plan(1, 60)
    batch = stored(log)
    batch.applied("interaction.delete", ONE, command_id="delete")
    assert batch.work.interactions.changes() == Changes([], [], [interaction_id(1)])
    batch.applied("interaction.undo", {"commandId": "delete"})
    assert batch.work.interactions.changes() == Changes([], [batch.work.interactions[interaction_id(1)]], [])


def test_a_batch_that_changes_nothing_writes_nothing(log: Publisher) -> None:
    log.plan(1, 60)
    batch = stored(log)
    batch.send("interaction.update", {**ONE, "scheduledAt": at(60)})
    batch.send("interaction.reopen", ONE)
    batch.send("interaction.complete", {**ONE, "validateOnly": True})
    assert {records.changes() == Changes() for records in batch.work.sets.values()} == {True}


def test_a_row_may_be_loaded_twice(log: Publisher) -> None:
    log.plan(1, 60)
    log.work.interactions.load(log.work.interactions[interaction_id(1)])
    log.applied("interaction.complete", ONE)
    assert log.next_number is None
