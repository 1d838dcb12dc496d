"""Description of each kind of stored record: its table, and how rows become values and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import astuple

from domain.model import (
    Deal,
    Dictionary,
    Draft,
    Entity,
    ErasedEntity,
    ErasedInteraction,
    FlagValue,
    Interaction,
    LastInteraction,
    NextInteraction,
    RetiredInteraction,
    Signal,
    SignalOutcome,
    TypeEntry,
)
from domain.record_set import Changes
from runtime.postgres import Connection
from sinks import tables
from sinks.array_literals import plain_array
from sinks.bulk_insert import BulkInsert
from sinks.bulk_update import BulkUpdate
from sinks.column_types import column_types
from sinks.jobs.tables import dropped_deletions, erased_entities, erased_interactions

Value = TypeVar("Value", bound=Struct)
Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A value inside a value, in columns of its own; it is absent when the first of them is null.

    :param columns: columns of the table, in the order of the value's fields.
    """

    value: Callable[..., Any]
    columns: tuple[str, ...]


class StoredRecord(Generic[Value]):
    """One kind of record. Its fields are columns of the same names, in any order.

    :param parts: fields that are values in columns of their own: the last fields of the value.
    :param shared: several appliers may write the same row at once: the last one wins.
    :ivar columns: columns of a row, in the order of the value's fields.
    """

    def __init__(
        self,
        table: sa.Table,
        value: type[Value],
        parts: Mapping[str, Part] | None = None,
        *,
        shared: bool = False,
    ) -> None:
        parts = parts or {}
        self._value = value
        self._parts = list(parts.items())
        own = [name for name in value.__struct_fields__ if name not in parts]
        self._own = len(own)
        self.columns = (*own, *chain.from_iterable(part.columns for part in parts.values()))
        types = column_types(table, self.columns)
        keys = [column.name for column in table.primary_key]
        self.insert = BulkInsert(table.name, self.columns, types, keys=keys if shared else ())
        self._update = None if shared else BulkUpdate(table.name, self.columns, types)
        self._delete = f"DELETE FROM {table.name} WHERE id = ANY(%s::uuid[])"  # noqa: S608 - our own name
        self._head = attrgetter(*own)

    def row(self, value: Value) -> tuple[Any, ...]:
        """Convert a value to a row in the order of ``columns``."""
        if not self._parts:
            return astuple(value)
        row: tuple[Any, ...] = self._head(value)
        for name, part in self._parts:
            inner = getattr(value, name)
            row += astuple(inner) if inner is not None else (None,) * len(part.columns)
        return row

    def of(self, row: Row) -> Value:
        """Convert a row in the order of ``columns`` to a value."""
        if not self._parts:
            return self._value(*row)
        inner, start = [], self._own
        for _, part in self._parts:
            end = start + len(part.columns)
            inner.append(part.value(*row[start:end]) if row[start] is not None else None)
            start = end
        return self._value(*row[: self._own], *inner)

    def selection(self, alias: str) -> str:
        """Columns of a row for a SELECT from the table under this alias."""
        return ", ".join(f"{alias}.{name}" for name in self.columns)

    def insert_new(
        self,
        add: Callable[[BulkInsert, Connection, Iterable[tuple[Any, ...]]], None],
        connection: Connection,
        changes: Changes[Any],
    ) -> None:
        """Insert the new rows, in the given way; rows that others may insert too come with the changes."""
        if self._update is not None:
            add(self.insert, connection, map(self.row, changes.inserted))

    def delete(self, connection: Connection, changes: Changes[Any]) -> None:
        """Delete the rows to delete."""
        if changes.deleted:
            connection.execute(self._delete, (plain_array(changes.deleted),))

    def change(self, connection: Connection, changes: Changes[Any]) -> None:
        """Write the changed rows."""
        if self._update is not None:
            self._update.write(connection, [self.row(value) for value in changes.updated])
        else:
            # In key order: two appliers that write the same rows wait for each other without a deadlock.
            values = sorted([*changes.inserted, *changes.updated], key=attrgetter("key"))
            self.insert.insert(connection, map(self.row, values))


INTERACTIONS: Final = StoredRecord(tables.interactions, Interaction)
DEALS: Final = StoredRecord(tables.deals, Deal)
ENTITIES: Final = StoredRecord(
    tables.entities,
    Entity,
    {
        "next": Part(
            NextInteraction,
            (
                "next_interaction_ref_id",
                "next_interaction_at",
                "next_interaction_name",
                "next_interaction_icon",
                "next_interaction_color",
            ),
        ),
        "last": Part(
            LastInteraction, ("last_interaction_ref_id", "last_interaction_at", "last_interaction_name")
        ),
    },
)

SIGNALS: Final = StoredRecord(tables.signals, Signal)
DRAFTS: Final = StoredRecord(tables.drafts, Draft)
OUTCOMES: Final = StoredRecord(tables.signal_outcomes, SignalOutcome)
ERASED: Final = StoredRecord(erased_entities, ErasedEntity)
TYPES: Final = StoredRecord(tables.interaction_types, TypeEntry, shared=True)
FLAGS: Final = StoredRecord(tables.feature_flags, FlagValue, shared=True)

#: By the kind of the value.
RECORDS: Final[dict[type, StoredRecord[Any]]] = {
    Entity: ENTITIES,
    Deal: DEALS,
    Interaction: INTERACTIONS,
    Signal: SIGNALS,
    Draft: DRAFTS,
    SignalOutcome: OUTCOMES,
    ErasedEntity: ERASED,
    ErasedInteraction: StoredRecord(erased_interactions, ErasedInteraction, shared=True),
    RetiredInteraction: StoredRecord(dropped_deletions, RetiredInteraction, shared=True),
    TypeEntry: TYPES,
    Dictionary: StoredRecord(tables.interaction_dictionaries, Dictionary, shared=True),
    FlagValue: FLAGS,
}
