"""Chunks of a journal window: wherever a relay stops, it continues with the next record."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.journal import Facts, JournalEntry, RecordChange
from sinks.journal_reader import JournalPosition, _chunks
from sinks.journal_rows import entry_of, journal_row
from tests.harness.journal_entries import some_entry

_SIZE = 3


def _row(position: int, relabeled: int) -> tuple[Any, ...]:
    """Row of the window's query: an event, or commands for so many relabeled entities."""
    entities = tuple(f"entity-{position}-{number}" for number in range(relabeled))
    entry = some_entry(
        command_id=f"command-{position}",
        offset=position,
        facts=Facts(
            event=None if relabeled else "created",
            record=RecordChange(kind="interaction_type", id="call", after={}) if relabeled else None,
            relabeled=entities,
        ),
    )
    assert entry_of([*journal_row(entry)[:18], None, None]) == entry
    return (position, *journal_row(entry)[:18], None, None)


def _records(entries: list[JournalEntry]) -> list[str]:
    """Names of what is published: the event of a changed type, and its commands; or the event of an entry."""
    names: list[str] = []
    for entry in entries:
        assert isinstance(entry.facts, Facts)
        if entry.facts.record is not None:
            names.append(f"{entry.command_id} of a type")
        names += entry.facts.relabeled or (() if entry.facts.record else (entry.command_id,))
    return names


@given(st.lists(st.integers(0, 10), max_size=8))
def test_a_relay_that_stops_after_any_chunk_continues_behind_it(relabeled: list[int]) -> None:
    rows = [_row(10 * number, count) for number, count in enumerate(relabeled, 1)]
    expected = _records([entry_of(row[1:]) for row in rows])
    chunks = list(_chunks(rows, JournalPosition(5, 9), _SIZE))
    published: list[str] = []
    for chunk in chunks:
        published += _records(chunk.entries)
        end = chunk.end
        assert (end.floor, end.ceiling) == (5, 9)
        rest = [row for row in rows if row[0] > end.position]
        behind = [name for later in _chunks(rest, end, _SIZE) for name in _records(later.entries)]
        assert published + behind == expected
    assert published == expected
    assert all(len(entry.facts.relabeled) <= _SIZE for chunk in chunks for entry in chunk.entries)
