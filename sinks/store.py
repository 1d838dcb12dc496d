"""Write what a folded batch changed: fixed SQL texts, one statement a kind of change, COPY for new rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from domain.decision import Decision
from domain.log_identity import log_identity
from domain.world import World
from sinks.columns import (
    DEAL,
    ENTITY,
    INTERACTION,
    LOG,
    OUTBOX,
    deal_row,
    entity_row,
    interaction_row,
)
from sinks.flag_rows import store_flags
from sinks.load import Connection
from sinks.outbox import outbox_rows, relabel_rows

_TYPES: Final = {
    "partition": "integer",
    "offset": "bigint",
    "priority": "integer",
    "version": "bigint",
    "schedule_version": "bigint",
    "due_phase": "smallint",
    "entity_version": "bigint",
    "open_count": "integer",
    "overdue_count": "integer",
    "done_count": "integer",
}


def _type(column: str) -> str:
    if column in _TYPES:
        return _TYPES[column]
    if column.endswith(("_at", "_as_of")):
        return "timestamptz"
    if column == "id" or column.endswith("_id"):
        return "uuid"
    return "text"


def _update_sql(table: str, columns: Sequence[str]) -> str:
    fixed = {"id", "tenant_id", "organization_id"}
    assignments = ", ".join(f"{name} = r.{name}" for name in columns if name not in fixed)
    shape = ", ".join(f"{name} {_type(name)}" for name in columns)
    # The texts are put together from our own column names only, once, at import.
    # Law 6: a row is only ever found together with its tenant and organization.
    return (
        f"UPDATE {table} t SET {assignments} FROM json_to_recordset(%s::text::json) AS r ({shape})"  # noqa: S608
        " WHERE t.id = r.id AND t.tenant_id = r.tenant_id AND t.organization_id = r.organization_id"
    )


def _copy_sql(table: str, columns: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return f"COPY {table} ({names}) FROM STDIN"


_UPDATE_INTERACTIONS: Final = _update_sql("customer_interactions", INTERACTION)
_UPDATE_ENTITIES: Final = _update_sql("customer_entities", ENTITY)
_UPDATE_DEALS: Final = _update_sql("customer_deals", DEAL)
_COPY_INTERACTIONS: Final = _copy_sql("customer_interactions", INTERACTION)
_COPY_ENTITIES: Final = _copy_sql("customer_entities", ENTITY)
_COPY_DEALS: Final = _copy_sql("customer_deals", DEAL)
_COPY_LOG: Final = _copy_sql("command_log", LOG)
_COPY_OUTBOX: Final = _copy_sql("outbox", OUTBOX)
_DELETE_INTERACTIONS: Final = "DELETE FROM customer_interactions WHERE id = ANY(%b::text[]::uuid[])"
_UPSERT_TYPES: Final = """
INSERT INTO interaction_types (tenant_id, organization_id, code, label, icon, color, actionable)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, organization_id, code) DO UPDATE
SET label = excluded.label, icon = excluded.icon, color = excluded.color, actionable = excluded.actionable
"""
_UPSERT_STRICT: Final = """
INSERT INTO interaction_dictionaries (tenant_id, organization_id, strict) VALUES (%s, %s, %s)
ON CONFLICT (tenant_id, organization_id) DO UPDATE SET strict = excluded.strict
"""


def store(connection: Connection, world: World, decisions: Sequence[Decision]) -> None:
    """Write the fold's result; part of the batch transaction (law 3).

    Order matters: entities and deals before the interactions that refer to them, and the outbox last,
    so that its positions are drawn after every row lock is held (per-entity order of the events).
    """
    _entities(connection, world)
    _deals(connection, world)
    _dictionary(connection, world)
    store_flags(connection, world)
    _interactions(connection, world)
    logged = [decision for decision in decisions if decision.logged]
    _copy(connection, _COPY_LOG, (_log_row(decision) for decision in logged))
    rows = [row for decision in decisions if decision.events for row in outbox_rows(decision)]
    for decision in decisions:
        if decision.relabeled is not None:
            rows.extend(relabel_rows(connection, decision))
    _copy(connection, _COPY_OUTBOX, rows)


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write_row(first)
        for row in iterator:
            copy.write_row(row)


def _update(
    connection: Connection, statement: str, columns: Sequence[str], rows: list[tuple[Any, ...]]
) -> None:
    if rows:
        document = orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows])
        updated = connection.execute(statement, (document.decode(),)).rowcount
        if updated != len(rows):
            # UPDATE never creates, and a row that was locked and read cannot have gone.
            raise AssertionError(f"{len(rows)} rows to update, {updated} found")


def _entities(connection: Connection, world: World) -> None:
    inserted, updated = world.changed_entities()
    _copy(connection, _COPY_ENTITIES, map(entity_row, inserted))
    _update(connection, _UPDATE_ENTITIES, ENTITY, [entity_row(entity) for entity in updated])


def _deals(connection: Connection, world: World) -> None:
    inserted, updated = world.changed_deals()
    _copy(connection, _COPY_DEALS, map(deal_row, inserted))
    _update(connection, _UPDATE_DEALS, DEAL, [deal_row(deal) for deal in updated])


def _interactions(connection: Connection, world: World) -> None:
    inserted, updated, deleted = world.changed_interactions()
    if deleted:
        connection.execute(_DELETE_INTERACTIONS, (deleted,))
    _copy(connection, _COPY_INTERACTIONS, map(interaction_row, inserted))
    _update(connection, _UPDATE_INTERACTIONS, INTERACTION, [interaction_row(row) for row in updated])


def _dictionary(connection: Connection, world: World) -> None:
    # In key order: two appliers that add the same new types wait for each other, and never in a ring.
    types = sorted(world.changed_types(), key=lambda item: (item[0], item[1], item[2].code))
    if types:
        with connection.cursor() as cursor:
            cursor.executemany(
                _UPSERT_TYPES,
                [
                    (tenant, organization, entry.code, entry.label, entry.icon, entry.color, entry.actionable)
                    for tenant, organization, entry in types
                ],
            )
    for row in sorted(world.changed_strictness()):
        connection.execute(_UPSERT_STRICT, row)


def _log_row(decision: Decision) -> tuple[Any, ...]:
    command = decision.command
    tenant_id, organization_id, command_id = log_identity(command)
    envelope = command.envelope
    return (
        tenant_id,
        organization_id,
        command_id,
        (envelope.type or "unknown")[:200],
        envelope.entity_id,
        decision.interaction_id,
        command.record.partition,
        command.record.offset,
        command.fingerprint,
        decision.outcome,
        orjson.dumps(decision.result).decode(),
        orjson.dumps(decision.undo).decode() if decision.undo is not None else None,
        decision.entity_version,
        decision.undo["last_version"] if decision.removed is not None and decision.undo else None,
        envelope.actor_id,
        envelope.sync_origin,
        getattr(command, "source_timestamp", None),
        command.appended_at,
    )
