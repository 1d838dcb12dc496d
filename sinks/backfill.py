"""Statements of the backfill: pages of legacy rows, mappings of their external links, state of the move."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from domain.default_types import DEFAULT_TYPES
from runtime.postgres import Connection
from schemas.flags import EXTERNAL_SYNC
from sinks.legacy_rows import CODES_SQL, TABLES, Kind, legacy_rows_sql
from sinks.legacy_tables import lift_freeze

_OF_TENANT: Final = "(%(tenant)s::uuid IS NULL OR l.tenant_id = %(tenant)s)"
_PAGE: Final = f"""
l.id > %(after)s AND (%(last)s::uuid IS NULL OR l.id <= %(last)s) AND {_OF_TENANT}
ORDER BY l.id LIMIT %(limit)s
"""
_MAPPINGS: Final = """
INSERT INTO sync_external_id_mappings (integration_id, local_id, tenant_id, organization_id, external_id,
  external_url, base)
SELECT g.id, i.id, i.tenant_id, i.organization_id, k.external_id, k.external_url, '{}'
FROM unnest(%(legacy)s::uuid[], %(interactions)s::uuid[]) AS w (legacy_id, interaction_id)
JOIN customer_interactions i ON i.id = w.interaction_id
JOIN legacy_external_links k ON k.legacy_id = w.legacy_id AND k.tenant_id = i.tenant_id
  AND k.organization_id = i.organization_id
JOIN integrations g ON g.id = coalesce(%(names)s::jsonb ->> k.integration_id, k.integration_id)
  AND g.tenant_id = i.tenant_id AND g.organization_id = i.organization_id
ON CONFLICT DO NOTHING
"""
_LINKS: Final = """
SELECT count(*), count(g.id) FROM legacy_external_links k
LEFT JOIN integrations g ON g.id = coalesce(%(names)s::jsonb ->> k.integration_id, k.integration_id)
  AND g.tenant_id = k.tenant_id AND g.organization_id = k.organization_id
WHERE k.legacy_id = ANY(%(legacy)s::uuid[])
"""
_TODO_COLUMNS: Final = (
    "title", "description", "is_done", "due_at", "done_at", "priority", "severity", "created_at",
    "updated_at",
)  # fmt: skip
_ADD_TODO: Final = f"""
INSERT INTO legacy_todos (tenant_id, organization_id, todo_source, id, {", ".join(_TODO_COLUMNS)})
VALUES (%(tenant_id)s, %(organization_id)s, %(todo_source)s, %(id)s,
  {", ".join(f"%({name})s" for name in _TODO_COLUMNS)})
ON CONFLICT DO NOTHING
"""  # noqa: S608 - constant column names


def count_rows(connection: Connection, kind: Kind, tenant_id: str | None) -> int:
    """Count the legacy rows of a kind."""
    row = connection.execute(
        f"SELECT count(*) FROM {TABLES[kind]} l WHERE {_OF_TENANT}",  # noqa: S608 - constant texts
        {"tenant": tenant_id},
    ).fetchone()
    assert row is not None
    return int(row[0])


def legacy_page(
    connection: Connection,
    kind: Kind,
    tenant_id: str | None,
    *,
    after: str,
    last: str | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Read the next rows in the order of their ids, with the facts that their conversion depends on.

    :param last: the last id to read, if not only the number is limited.
    """
    values = {"tenant": tenant_id, "after": after, "last": last, "limit": limit}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(legacy_rows_sql(kind, _PAGE), values).fetchall()


def type_codes(connection: Connection, tenant_id: str, organization_id: str) -> frozenset[str]:
    """Codes of a dictionary."""
    values = {"tenant": tenant_id, "organization": organization_id}
    return frozenset(row[0] for row in connection.execute(CODES_SQL, values))


def map_links(
    connection: Connection, moved: Sequence[tuple[str, str]], names: dict[str, str]
) -> tuple[int, int]:
    """Map the external objects of legacy rows to their interactions; repeating it changes nothing.

    A mapping without a base makes the next sync compare both sides, instead of creating a second object.

    :param moved: id in the legacy system, and id of the interaction.
    :param names: id of an integration there → its id here, where they differ.
    :returns: number of mappings made, and of links whose integration does not exist here.
    """
    if not moved:
        return 0, 0
    legacy, interactions = ([pair[0] for pair in moved], [pair[1] for pair in moved])
    values = {"legacy": legacy, "interactions": interactions, "names": Jsonb(names)}
    row = connection.execute(_LINKS, values).fetchone()
    assert row is not None
    if not row[0]:
        return 0, 0
    return connection.execute(_MAPPINGS, values).rowcount, int(row[0]) - int(row[1])


def add_todos(connection: Connection, todos: Collection[dict[str, Any]]) -> None:
    """Store todo records that a source returned, so that every later look-up finds them."""
    if not todos:
        return
    empty = dict.fromkeys(_TODO_COLUMNS)
    with connection.transaction():
        lift_freeze(connection)
        with connection.cursor() as cursor:
            cursor.executemany(_ADD_TODO, [{**empty, **todo} for todo in todos])


def legacy_tenants(connection: Connection, tenant_id: str | None) -> list[str]:
    """Tenants that have legacy rows."""
    parts = " UNION ".join(
        f"SELECT l.tenant_id FROM {table} l WHERE {_OF_TENANT}"  # noqa: S608 - constant texts
        for table in TABLES.values()
    )
    rows = connection.execute(f"SELECT tenant_id::text FROM ({parts}) t ORDER BY 1", {"tenant": tenant_id})  # noqa: S608
    return [row[0] for row in rows]


def syncing_tenants(connection: Connection, tenants: Collection[str]) -> list[str]:
    """Those tenants whose changes are synchronised to external providers now."""
    rows = connection.execute(
        "SELECT f.tenant_id::text FROM feature_flags f WHERE f.enabled"
        " AND f.flag = %s AND f.tenant_id = ANY(%s::uuid[])"
        " AND EXISTS (SELECT 1 FROM integrations g WHERE g.tenant_id = f.tenant_id) ORDER BY 1",
        (EXTERNAL_SYNC, list(tenants)),
    )
    return [row[0] for row in rows]


def mark_changed(connection: Connection, tenants: Collection[str]) -> None:
    """Note that these tenants' move changed: what was validated before is not valid any more."""
    connection.execute(
        "INSERT INTO tenant_migrations (tenant_id) SELECT unnest(%s::uuid[])"
        " ON CONFLICT (tenant_id) DO UPDATE SET changed_at = now(), validated_at = NULL, validated_by = NULL",
        (list(tenants),),
    )


def mark_validated(connection: Connection, tenant_id: str, job_id: str, began: datetime) -> None:
    """Note that the parity check of a tenant passed, unless its move changed after the check began."""
    connection.execute(
        "INSERT INTO tenant_migrations (tenant_id, changed_at, validated_at, validated_by)"
        " VALUES (%(tenant)s, %(began)s, now(), %(job)s) ON CONFLICT (tenant_id) DO UPDATE"
        " SET validated_at = now(), validated_by = excluded.validated_by"
        " WHERE tenant_migrations.changed_at <= %(began)s",
        {"tenant": tenant_id, "job": job_id, "began": began},
    )


def first_backfill(connection: Connection) -> datetime:
    """Time of the first backfill; now, if there was none."""
    row = connection.execute(
        "SELECT coalesce(min(created_at), now()) FROM jobs WHERE kind = 'backfill'"
    ).fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def strict_codes(connection: Connection, tenant_id: str) -> dict[str, frozenset[str]]:
    """Codes of the strict dictionaries of a tenant, by organization."""
    rows = connection.execute(
        "SELECT d.organization_id::text, array_remove(array_agg(t.code), NULL)"
        " FROM interaction_dictionaries d LEFT JOIN interaction_types t USING (tenant_id, organization_id)"
        " WHERE d.tenant_id = %s AND d.strict GROUP BY 1",
        (tenant_id,),
    )
    return {organization: frozenset({*codes, *DEFAULT_TYPES}) for organization, codes in rows}


class Created(NamedTuple):
    """An interaction that a job created, and the version that it had then."""

    interaction_id: str
    tenant_id: str
    organization_id: str
    entity_id: str
    version: int


def list_created(connection: Connection, job_id: str) -> tuple[int, list[str]]:
    """Collect what a job created, for this session; return the number and the tenants.

    One pass over the journal, which has no index on jobs.
    """
    connection.execute("DROP TABLE IF EXISTS created_by_job")
    connection.execute(
        "CREATE TEMP TABLE created_by_job AS SELECT DISTINCT ON (interaction_id) interaction_id, tenant_id,"
        " organization_id, entity_id, (facts ->> 'version')::bigint AS version FROM journal"
        " WHERE correlation_id = %s AND outcome = 'applied' AND command_type = 'customers.interaction.create'"
        " ORDER BY interaction_id",
        (job_id,),
    )
    connection.execute("CREATE INDEX ON created_by_job (interaction_id)")
    row = connection.execute(
        "SELECT count(*), coalesce(array_agg(DISTINCT tenant_id::text), '{}') FROM created_by_job"
    ).fetchone()
    assert row is not None
    return int(row[0]), list(row[1])


def next_created(connection: Connection, after: str, limit: int) -> list[Created]:
    """The next interactions of ``list_created``, in the order of their ids."""
    rows = connection.execute(
        "SELECT interaction_id::text, tenant_id::text, organization_id::text, entity_id::text, version"
        " FROM created_by_job WHERE interaction_id > %s ORDER BY interaction_id LIMIT %s",
        (after, limit),
    )
    return [Created(*row) for row in rows]


def forget_unsynced_mappings(connection: Connection, interactions: Collection[str]) -> None:
    """Delete the mappings of these interactions that no sync has used yet."""
    connection.execute(
        "DELETE FROM sync_external_id_mappings WHERE local_id = ANY(%s::uuid[]) AND last_synced_at IS NULL",
        (list(interactions),),
    )
