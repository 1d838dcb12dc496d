"""Mappings: the object that mirrors an interaction, and the base snapshot on which both last agreed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.types.json import Jsonb

from runtime.postgres import Connection

_SELECT: Final = (
    "SELECT integration_id, local_id::text, tenant_id::text, organization_id::text, external_id,"
    " external_url, base, external_version, extra, archived, gone, last_synced_at"
    " FROM sync_external_id_mappings WHERE entity_type = 'customers.interaction' AND integration_id = %s"
)
_UPSERT: Final = """
INSERT INTO sync_external_id_mappings (integration_id, local_id, tenant_id, organization_id, external_id,
  external_url, base, external_version, extra, archived, gone, last_synced_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (integration_id, entity_type, local_id) DO UPDATE SET
  external_id = excluded.external_id, external_url = excluded.external_url, base = excluded.base,
  external_version = excluded.external_version, extra = excluded.extra, archived = excluded.archived,
  gone = excluded.gone, last_synced_at = excluded.last_synced_at, updated_at = now()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One row of ``sync_external_id_mappings``.

    :param base: base snapshot in JSON; ``None`` until the object is imported.
    :param archived: the object is archived, because its interaction was deleted.
    :param gone: the object was deleted at the provider.
    """

    integration_id: str
    local_id: str
    tenant_id: str
    organization_id: str
    external_id: str
    external_url: str | None = None
    base: dict[str, Any] | None = None
    external_version: str | None = None
    extra: dict[str, Any] | None = None
    archived: bool = False
    gone: bool = False
    last_synced_at: datetime | None = None


def mapping_of(connection: Connection, integration_id: str, local_id: str) -> Mapping | None:
    """The mapping of an interaction."""
    row = connection.execute(f"{_SELECT} AND local_id = %s", (integration_id, local_id)).fetchone()
    return _mapping(row) if row is not None else None


def mapping_to(connection: Connection, integration_id: str, external_id: str) -> Mapping | None:
    """The mapping of an object."""
    row = connection.execute(f"{_SELECT} AND external_id = %s", (integration_id, external_id)).fetchone()
    return _mapping(row) if row is not None else None


def upsert_mapping(connection: Connection, mapping: Mapping) -> str | None:
    """Insert or update a mapping; idempotent. Replaces a pending import of the same object.

    :returns: the interaction id of the replaced import, if there was one.
    """
    taken = connection.execute(
        "DELETE FROM sync_external_id_mappings WHERE integration_id = %s AND external_id = %s"
        " AND entity_type = 'customers.interaction' AND local_id <> %s AND base IS NULL"
        " RETURNING local_id::text",
        (mapping.integration_id, mapping.external_id, mapping.local_id),
    ).fetchone()
    connection.execute(
        _UPSERT,
        (
            mapping.integration_id,
            mapping.local_id,
            mapping.tenant_id,
            mapping.organization_id,
            mapping.external_id,
            mapping.external_url,
            Jsonb(mapping.base) if mapping.base is not None else None,
            mapping.external_version,
            Jsonb(mapping.extra or {}),
            mapping.archived,
            mapping.gone,
            mapping.last_synced_at,
        ),
    )
    return str(taken[0]) if taken is not None else None


def await_import(connection: Connection, mapping: Mapping) -> Mapping:
    """Insert a mapping for an object to import, unless one exists; the mapping that is stored."""
    connection.execute(
        "INSERT INTO sync_external_id_mappings (integration_id, local_id, tenant_id, organization_id,"
        " external_id) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (
            mapping.integration_id,
            mapping.local_id,
            mapping.tenant_id,
            mapping.organization_id,
            mapping.external_id,
        ),
    )
    return mapping_to(connection, mapping.integration_id, mapping.external_id) or mapping


def delete_mapping(connection: Connection, integration_id: str, local_id: str) -> None:
    """Delete a mapping."""
    connection.execute(
        "DELETE FROM sync_external_id_mappings WHERE integration_id = %s AND local_id = %s"
        " AND entity_type = 'customers.interaction'",
        (integration_id, local_id),
    )


_LIVE: Final = "integration_id = %s AND base IS NOT NULL AND NOT archived AND NOT gone"


def count_mappings(connection: Connection, integration_id: str) -> int:
    """Count the live mirrors."""
    row = connection.execute(
        f"SELECT count(*) FROM sync_external_id_mappings WHERE {_LIVE}",  # noqa: S608 - constant text
        (integration_id,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def live_mirrors(connection: Connection, integration_id: str, external_ids: Collection[str]) -> set[str]:
    """The given objects that are live mirrors: imported, not archived, not gone."""
    if not external_ids:
        return set()
    rows = connection.execute(
        f"SELECT external_id FROM sync_external_id_mappings WHERE {_LIVE}"  # noqa: S608 - constant text
        " AND external_id = ANY(%s)",
        (integration_id, list(external_ids)),
    )
    return {row[0] for row in rows}


def mirrors_before(connection: Connection, integration_id: str, moment: datetime) -> set[str]:
    """Live mirrors whose mapping has not changed since a time, by the database's clock."""
    rows = connection.execute(
        f"SELECT external_id FROM sync_external_id_mappings WHERE {_LIVE}"  # noqa: S608 - constant text
        " AND updated_at < %s",
        (integration_id, moment),
    )
    return {row[0] for row in rows}


def count_deleted(connection: Connection, integration_id: str, since: datetime) -> int:
    """Count the mirrors found deleted at the provider since a time, by the connectors' clock."""
    row = connection.execute(
        "SELECT count(*) FROM sync_external_id_mappings WHERE integration_id = %s AND gone"
        " AND last_synced_at >= %s",
        (integration_id, since),
    ).fetchone()
    assert row is not None
    return int(row[0])


def deleted_mirrors(connection: Connection, integration_id: str, since: datetime | None) -> list[Mapping]:
    """Mirrors found deleted at the provider (since a time, if given), oldest first."""
    rows = connection.execute(
        f"{_SELECT} AND gone AND (%s::timestamptz IS NULL OR last_synced_at >= %s)"
        " ORDER BY last_synced_at, local_id",
        (integration_id, since, since),
    )
    return [_mapping(row) for row in rows]


def _mapping(row: tuple[Any, ...]) -> Mapping:
    return Mapping(
        integration_id=row[0],
        local_id=row[1],
        tenant_id=row[2],
        organization_id=row[3],
        external_id=row[4],
        external_url=row[5],
        base=row[6],
        external_version=row[7],
        extra=row[8],
        archived=row[9],
        gone=row[10],
        last_synced_at=row[11],
    )
