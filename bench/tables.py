"""Tables as they are after months of work: millions of interactions, made by SQL in one go.

Customer ``n`` has the interactions ``20 n`` to ``20 n + 19``: four planned, fifteen done, one canceled.
Projections are what the rules would have made of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bench.deployment import EMPTY, copy_database
from bench.servers import on_database
from bench.workload import ORGANIZATION, TENANT
from runtime.postgres import Connection, connect
from runtime.settings import Settings

PER_CUSTOMER: Final = 20
_FIRST: Final = "timestamptz '2027-01-04 08:00Z'"
_PAST: Final = "timestamptz '2025-01-06 08:00Z'"
_MADE: Final = "timestamptz '2026-01-05 08:00Z'"
_SCOPE: Final = f"'{TENANT}'::uuid, '{ORGANIZATION}'::uuid"

_ENTITIES: Final = f"""
INSERT INTO customer_entities (id, tenant_id, organization_id, kind, display_name, entity_version,
  next_interaction_at, next_interaction_name, next_interaction_ref_id, next_interaction_icon,
  next_interaction_color, last_interaction_at, last_interaction_name, last_interaction_ref_id,
  open_count, overdue_count, done_count, created_at, updated_at)
SELECT md5('entity/' || n)::uuid, {_SCOPE}, 'person', 'Customer ' || n, 40,
  {_FIRST} + (n %% 1000) * interval '1 minute', 'Call ' || n * 20,
  md5('interaction/' || n * 20)::uuid, 'phone',
  '#2563EB', {_PAST} + 18 * interval '1 day', 'Call ' || n * 20 + 18,
  md5('interaction/' || n * 20 + 18)::uuid,
  4, 0, 15, {_MADE}, {_MADE}
FROM generate_series(0::bigint, %s - 1) n
"""
_INTERACTIONS: Final = f"""
INSERT INTO customer_interactions (id, tenant_id, organization_id, entity_id, interaction_type, title, body,
  status, scheduled_at, occurred_at, version, schedule_version, due_phase, status_as_of, scheduled_as_of,
  occurred_as_of, created_at, updated_at)
SELECT md5('interaction/' || i)::uuid, {_SCOPE}, md5('entity/' || i / 20)::uuid, 'call', 'Call ' || i,
  'Ask for the open points of the last visit, and send the offer again if it was lost.',
  CASE WHEN i %% 20 < 4 THEN 'planned' WHEN i %% 20 < 19 THEN 'done' ELSE 'canceled' END,
  CASE WHEN i %% 20 < 4 THEN {_FIRST} + (i / 20 %% 1000) * interval '1 minute'
    + i %% 20 * interval '1 day' END,
  CASE WHEN i %% 20 BETWEEN 4 AND 18 THEN {_PAST} + i %% 20 * interval '1 day' END,
  2, 1, 0, {_MADE}, {_MADE}, {_MADE}, {_MADE} + i %% 20 * interval '1 second', {_MADE}
FROM generate_series(%s::bigint, %s - 1) i
"""
_LOG: Final = f"""
INSERT INTO command_log (tenant_id, organization_id, command_id, command_type, entity_id, interaction_id,
  partition, "offset", fingerprint, outcome, result, undo, entity_version, appended_at)
SELECT {_SCOPE}, 'stored-' || i, 'customers.interaction.create', md5('entity/' || i / 20)::uuid,
  md5('interaction/' || i)::uuid, i %% 6, i / 6, decode(md5(i::text), 'hex'), 'applied',
  json_build_object('commandId', 'stored-' || i, 'interactionId', md5('interaction/' || i),
    'outcome', 'applied',
    'version', 1, 'entityVersion', 1, 'invalidates', json_build_array(md5('a' || i), md5('b' || i))),
  json_build_object('before', NULL, 'last_version', 1), 1, {_MADE}
FROM generate_series(0::bigint, %s - 1) i
"""
_OUTBOX: Final = f"""
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, tenant_id, organization_id, headers)
SELECT md5('event/' || i)::uuid, 'interaction', md5('entity/' || i / 20), 'customers.interaction.created',
  json_build_object('id', md5('interaction/' || i), 'title', 'Call ' || i, 'after', repeat('x', 500)),
  {_SCOPE}, json_build_object('ce_id', md5('event/' || i), 'ce_type', 'customers.interaction.created')
FROM generate_series(0::bigint, %s - 1) i
"""


def make_tables(
    servers: Settings, name: str, interactions: int, logged: int, progress: Callable[[str], None]
) -> Settings:
    """A database of that name with so many interactions, and so many rows in the log and the outbox.

    The indexes of the interactions are made after the rows, as a restore makes them.
    """
    copy_database(servers, EMPTY, name)
    settings = on_database(servers, name).model_copy(update={"consumer_group": f"{name}-applier"})
    with connect(settings, application_name="interactions-bench") as connection:
        connection.execute("SET maintenance_work_mem = '1GB'")
        connection.execute("SET session_replication_role = replica")  # foreign keys hold by construction
        progress(f"{name}: {interactions:,} interactions")
        connection.execute(_ENTITIES.encode(), (interactions // PER_CUSTOMER,))
        indexes = _drop_indexes(connection)
        step = 1_000_000
        for start in range(0, interactions, step):
            connection.execute(_INTERACTIONS.encode(), (start, min(start + step, interactions)))
            progress(f"{name}: {min(start + step, interactions):,} of {interactions:,} interactions")
        for definition in indexes:
            progress(f"{name}: {definition[:60].lower()}…")
            connection.execute(definition.encode())
        progress(f"{name}: {logged:,} rows of the log and the outbox")
        connection.execute(_LOG.encode(), (logged,))
        connection.execute(_OUTBOX.encode(), (logged,))
        connection.commit()
    with connect(settings, application_name="interactions-bench", autocommit=True) as connection:
        progress(f"{name}: statistics")
        connection.execute("VACUUM ANALYZE")
    return settings


def _drop_indexes(connection: Connection) -> list[str]:
    """Drop the indexes of the interactions, the primary key's too; the statements that make them again."""
    found = connection.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), c.conname,"
        " pg_get_constraintdef(c.oid)"
        " FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')"
        " WHERE i.indrelid = 'customer_interactions'::regclass"
    ).fetchall()
    again = []
    for name, definition, constraint, rule in found:
        if constraint is None:
            connection.execute(f"DROP INDEX {name}".encode())
            again.append(definition)
        else:
            connection.execute(f"ALTER TABLE customer_interactions DROP CONSTRAINT {constraint}".encode())
            again.append(f"ALTER TABLE customer_interactions ADD CONSTRAINT {constraint} {rule}")
    return again
