"""Read-only queries on the core: current state of interactions, and outcomes of commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from runtime.postgres import Connection
from sinks.columns import LEAST_ID

_COLUMNS: Final = (
    "id::text, tenant_id::text, organization_id::text, entity_id::text, interaction_type, title, body,"
    " status, scheduled_at, occurred_at, priority, version, status_as_of, scheduled_as_of, occurred_as_of"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionState:
    """Current state of an interaction: the fields that can be mirrored.

    :param values: keyed by the names in ``connectors.sdk.provider.FIELDS``.
    :param as_of: source timestamps of the last-write-wins fields.
    """

    id: str
    tenant_id: str
    organization_id: str
    entity_id: str
    version: int
    values: dict[str, Any]
    as_of: dict[str, datetime]


def read_interaction(
    connection: Connection, tenant_id: str, organization_id: str, interaction_id: str
) -> InteractionState | None:
    """Read the current state of an interaction of this tenant and organization."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM customer_interactions"  # noqa: S608 - constant text
        " WHERE id = %s AND tenant_id = %s AND organization_id = %s",
        (interaction_id, tenant_id, organization_id),
    ).fetchone()
    return _interaction_state(row) if row is not None else None


def interaction_types(connection: Connection, interaction_ids: Sequence[str]) -> dict[str, str]:
    """Interaction types by interaction id; unknown ids are absent."""
    rows = connection.execute(
        "SELECT id::text, interaction_type FROM customer_interactions WHERE id = ANY(%s::uuid[])",
        (list(interaction_ids),),
    )
    return dict(rows.fetchall())


def interaction_pages(
    connection: Connection, tenant_id: str, organization_id: str, page: int = 1000
) -> Iterator[list[InteractionState]]:
    """Iterate over all interactions of a tenant and organization, in pages ordered by id."""
    after = LEAST_ID
    while True:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM customer_interactions"  # noqa: S608 - constant text
            " WHERE tenant_id = %s AND organization_id = %s AND id > %s ORDER BY id LIMIT %s",
            (tenant_id, organization_id, after, page),
        ).fetchall()
        if not rows:
            return
        yield [_interaction_state(row) for row in rows]
        after = rows[-1][0]


@dataclass(frozen=True, slots=True)
class CommandFate:
    """Status of a command.

    :param code: error code of a rejected command; ``None`` otherwise.
    """

    outcome: str
    code: str | None


def command_fates(
    connection: Connection, tenant_id: str, organization_id: str, command_ids: Sequence[str]
) -> dict[str, CommandFate]:
    """Outcomes by command id; commands that are not in the journal yet are absent."""
    rows = connection.execute(
        "SELECT command_id, outcome, coalesce(facts, result) -> 'problem' ->> 'code' FROM journal"
        " WHERE tenant_id = %s AND organization_id = %s AND command_id = ANY(%s)",
        (tenant_id, organization_id, list(command_ids)),
    )
    return {row[0]: CommandFate(row[1], row[2]) for row in rows}


def _interaction_state(row: tuple[Any, ...]) -> InteractionState:
    return InteractionState(
        id=row[0],
        tenant_id=row[1],
        organization_id=row[2],
        entity_id=row[3],
        version=row[11],
        values={
            "interaction_type": row[4],
            "title": row[5],
            "body": row[6],
            "status": row[7],
            "scheduled_at": row[8],
            "occurred_at": row[9],
            "priority": row[10],
        },
        as_of={"status": row[12], "scheduled_at": row[13], "occurred_at": row[14]},
    )
