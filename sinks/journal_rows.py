"""Rows of the journal: columns in order, and conversion between rows and entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import orjson
from msgspec.structs import astuple

from domain.journal import NOTHING, Facts, JournalEntry, OldFacts, deleted_version, published_count
from sinks import tables
from sinks.bulk_insert import BulkInsert
from sinks.column_types import column_types

_OF_AN_ENTRY: Final = JournalEntry.__struct_fields__[:-1]  # the last field holds the facts
JOURNAL: Final = (*_OF_AN_ENTRY, "facts", "retired_version", "events")
_TYPES: Final = column_types(tables.journal, JOURNAL)
NEW_ENTRIES: Final = BulkInsert("journal", JOURNAL, _TYPES)
#: Expressions for the columns of an entry, of the table with alias ``j``. The last two are those of rows from
#: before the journal.
ENTRY: Final = ", ".join(
    (
        *(
            f'j."{name}"{"::text" if kind == "uuid" else ""}'
            for name, kind in zip(_OF_AN_ENTRY, _TYPES, strict=False)
        ),
        "j.facts::text AS facts",
        "j.result::text AS result",
        "j.undo::text AS undo",
    )
)

_encode_facts: Final = msgspec.json.Encoder().encode
_decode_facts: Final = msgspec.json.Decoder(Facts).decode


def journal_row(entry: JournalEntry) -> tuple[Any, ...]:
    """Convert an entry to a row in the order of ``JOURNAL``."""
    facts = entry.facts
    assert isinstance(facts, Facts)
    text = _encode_facts(facts).decode()
    return (*astuple(entry)[:-1], text, deleted_version(entry), published_count(facts))


def entry_of(row: Sequence[Any]) -> JournalEntry:
    """Convert a row of ``ENTRY`` to an entry."""
    *columns, facts, result, undo = row
    found: Facts | OldFacts
    if facts is not None:
        found = _decode_facts(facts)
    else:
        found = OldFacts(result=orjson.loads(result), undo=orjson.loads(undo) if undo is not None else None)
    return JournalEntry(*(*columns, found))


def entry_without_facts(row: Sequence[Any]) -> JournalEntry:
    """Convert a row of ``ENTRY`` whose facts cannot be read: the entry changes nothing."""
    *columns, _, _, _ = row
    return JournalEntry(*(*columns, NOTHING))
