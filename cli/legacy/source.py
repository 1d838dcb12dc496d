"""Rows of an installation to import, as every kind of source delivers them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from schemas.errors import Stop

#: Tables that are read, in this order: table → columns that it must have.
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "customer_entities": ("id", "tenant_id", "organization_id", "kind", "display_name"),
    "customer_dictionary_entries": ("tenant_id", "organization_id", "kind", "value"),
    "customer_deal_people": ("deal_id", "person_entity_id"),
    "customer_deal_companies": ("deal_id", "company_entity_id"),
    "customer_deals": ("id", "tenant_id", "organization_id", "title"),
    "customer_interactions": (
        "id", "tenant_id", "organization_id", "entity_id", "interaction_type", "status",
    ),
    "customer_activities": ("id", "tenant_id", "organization_id", "entity_id", "activity_type"),
    "customer_todo_links": ("id", "tenant_id", "organization_id", "entity_id", "todo_id"),
    "todos": ("id", "tenant_id", "organization_id"),
    "sync_external_id_mappings": (
        "tenant_id", "organization_id", "integration_id", "internal_entity_type", "internal_entity_id",
        "external_id",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row, with all values as text.

    :param place: where an operator finds the row, such as ``todos.csv:12``.
    :param repaired: a byte was not UTF-8; ``nul``: a NUL character was removed.
    """

    values: Mapping[str, str | None]
    place: str
    repaired: bool = False
    nul: bool = False


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that cannot be read, with the reason and without its content."""

    place: str
    reason: str


class Source(Protocol):
    """An installation to import from."""

    @property
    def name(self) -> str:
        """The source in words, without credentials."""

    @property
    def tables(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each table of :data:`REQUIRED` that is there."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of what is there and not read: files, or nothing."""

    def rows(self, table: str) -> Iterator[SourceRow | BrokenRow]:
        """All rows of a table that is there."""

    def find_ciphertext(self) -> str | None:
        """Name the first place that holds an encrypted value, if there is one."""


#: Columns that are read where they are there.
_OPTIONAL: Final[dict[str, tuple[str, ...]]] = {
    "customer_entities": ("primary_email", "primary_phone", "owner_user_id", "deleted_at"),
    "customer_dictionary_entries": ("label", "icon", "color"),
    "customer_deals": ("status", "entity_id", "deleted_at"),
    "customer_activities": (
        "deal_id", "subject", "body", "occurred_at", "author_user_id", "appearance_icon", "appearance_color",
        "created_at", "updated_at",
    ),
    "customer_todo_links": ("todo_source", "created_at", "created_by_user_id"),
    "todos": (
        "todo_source", "title", "description", "is_done", "due_at", "done_at", "priority", "severity",
        "created_at", "updated_at", "deleted_at",
    ),
    "sync_external_id_mappings": ("external_url", "deleted_at"),
}  # fmt: skip


def ignored_columns(source: Source, table: str) -> tuple[str, ...]:
    """Columns of a table that are not read. Those of interactions are counted one by one instead."""
    if table == "customer_interactions":
        return ()
    known = {*REQUIRED[table], *_OPTIONAL.get(table, ())}
    return tuple(name for name in source.tables.get(table, ()) if name not in known)


def check_columns(source: Source) -> None:
    """Check that each table that is there has the columns that its rows cannot do without.

    :raises Stop: no table is there, or one lacks a column. Nothing was imported.
    """
    if not source.tables:
        raise Stop(
            f"{source.name} has none of the tables that are imported ({', '.join(REQUIRED)})."
            " Nothing was imported. Check --from.",
        )
    for table, columns in source.tables.items():
        missing = [name for name in REQUIRED[table] if name not in columns]
        if missing:
            raise Stop(
                f"{source.name}: {table} has no column {' and no column '.join(missing)}, which every row"
                " needs. Nothing was imported. Add it, or leave the table out.",
            )
