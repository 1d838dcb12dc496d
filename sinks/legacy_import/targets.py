"""Legacy tables that an import fills, by the name of the source's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from sinks import legacy_tables


@dataclass(frozen=True, slots=True)
class Target:
    """A legacy table.

    :param columns: all its columns; ``keys``: those of the primary key.
    :param removals: reasons to leave a row out, in the order in which they are checked
        (see ``sinks.legacy_import.staging``).
    """

    table: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    removals: tuple[str, ...]

    @property
    def staged(self) -> str:
        """Name of the temporary table that holds a chunk."""
        return f"staged_{self.table}"


def _target(table: sa.Table, *removals: str) -> Target:
    return Target(
        table.name,
        tuple(column.name for column in table.columns),
        tuple(column.name for column in table.primary_key.columns),
        removals,
    )


_CUSTOMER: Final = ("id_of_other_tenant", "customer_erased", "customer_deleted")

TARGETS: Final = {
    "customer_interactions": _target(legacy_tables.interactions, *_CUSTOMER),
    "customer_activities": _target(
        legacy_tables.activities, *_CUSTOMER, "interaction_deleted", "interaction_private"
    ),
    "customer_todo_links": _target(
        legacy_tables.todo_links, *_CUSTOMER, "interaction_deleted", "interaction_private"
    ),
    "todos": _target(legacy_tables.todos, "not_linked"),
    "sync_external_id_mappings": _target(
        legacy_tables.external_links, "interaction_erased", "not_imported_row"
    ),
}
