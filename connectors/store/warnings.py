"""Integration warnings: what needs a user's attention, and the resolution chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from psycopg.types.json import Jsonb

from connectors.store.ledger import SyncItem
from runtime.postgres import Connection

_COLUMNS: Final = (
    "id::text, integration_id, tenant_id::text, organization_id::text, interaction_id::text,"
    " entity_id::text, external_id, kind, field, detail, local_value, remote_value, state, resolution,"
    " created_at, updated_at, resolved_by"
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM integration_warnings"  # noqa: S608 - constant text
_CHOOSE: Final = f"""
UPDATE integration_warnings SET resolution = %(resolution)s, resolved_by = %(by)s, updated_at = now()
WHERE id = ANY(%(ids)s::uuid[]) AND state = 'open'
  AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s::uuid)
  AND (%(organization)s::uuid IS NULL OR organization_id = %(organization)s::uuid)
RETURNING {_COLUMNS}
"""  # noqa: S608 - constant text
_SAME: Final = """(integration_warnings.remote_value IS NOT DISTINCT FROM excluded.remote_value
    AND integration_warnings.local_value IS NOT DISTINCT FROM excluded.local_value)"""
#: A resolution survives a repeated warning of these kinds: a conflict is raised again while its resolution is
#: being applied. A repeated `refused` or `failed` means that the resolution did not work.
_KEEPS_RESOLUTION: Final = "excluded.kind NOT IN ('refused', 'failed')"
_RAISE: Final = f"""
INSERT INTO integration_warnings (id, integration_id, tenant_id, organization_id, interaction_id, entity_id,
  external_id, kind, field, detail, local_value, remote_value)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (integration_id, kind, interaction_id, external_id, field) WHERE state = 'open' DO UPDATE SET
  detail = excluded.detail, local_value = excluded.local_value, remote_value = excluded.remote_value,
  updated_at = CASE WHEN {_SAME} AND integration_warnings.detail = excluded.detail
    AND (integration_warnings.resolution IS NULL OR {_KEEPS_RESOLUTION})
    THEN integration_warnings.updated_at ELSE now() END,
  resolution = CASE WHEN {_SAME} AND {_KEEPS_RESOLUTION} THEN integration_warnings.resolution END
RETURNING id::text, (xmax = 0)
"""  # noqa: S608 - constant text


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncWarning:
    """One row of ``integration_warnings``.

    :param kind: ``conflict`` (both sides changed a field), ``refused`` (the rules refused the provider's
        value), ``failed`` (a blocked item), ``detached`` (the mirror was permanently deleted),
        ``brake``, ``auth``, ``disabled``, ``superseded``.
    :param resolution: the resolution chosen; applied once ``state`` is ``resolved``.
    """

    integration_id: str
    tenant_id: str
    organization_id: str
    kind: str
    detail: str
    interaction_id: str | None = None
    entity_id: str | None = None
    external_id: str | None = None
    field: str | None = None
    local_value: Any = None
    remote_value: Any = None
    id: str = ""
    state: str = "open"
    resolution: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    resolved_by: str | None = None


def item_warning(
    item: SyncItem, kind: str, detail: str, *, entity_id: str | None, **more: Any
) -> SyncWarning:
    """Build a warning about one ledger item.

    :param more: further fields of :class:`SyncWarning`.
    """
    return SyncWarning(
        integration_id=item.integration_id,
        tenant_id=item.tenant_id,
        organization_id=item.organization_id,
        interaction_id=item.interaction_id,
        entity_id=entity_id,
        kind=kind,
        detail=detail,
        **more,
    )


def raise_warning(connection: Connection, warning: SyncWarning) -> tuple[str, bool]:
    """Open a warning, or update the open one with the same key; its id, and whether it is new.

    Clears a resolution that was chosen for other values or that did not work. Advances ``updated_at``
    only when the content changes.
    """
    row = connection.execute(
        _RAISE,
        (
            str(uuid4()),
            warning.integration_id,
            warning.tenant_id,
            warning.organization_id,
            warning.interaction_id,
            warning.entity_id,
            warning.external_id,
            warning.kind,
            warning.field,
            warning.detail,
            Jsonb(warning.local_value),
            Jsonb(warning.remote_value),
        ),
    ).fetchone()
    assert row is not None
    return str(row[0]), bool(row[1])


def open_warnings(connection: Connection, integration_id: str, interaction_id: str) -> list[SyncWarning]:
    """Open warnings of one interaction."""
    rows = connection.execute(
        f"{_SELECT} WHERE integration_id = %s AND interaction_id = %s AND state = 'open'",
        (integration_id, interaction_id),
    )
    return [_warning(row) for row in rows]


def list_warnings(
    connection: Connection,
    *,
    tenant_id: str | None = None,
    organization_id: str | None = None,
    integration_id: str | None = None,
    state: str = "open",
    ids: Sequence[str] | None = None,
    limit: int | None = 100,
) -> list[SyncWarning]:
    """List warnings, newest first.

    :param ids: only these; a text that is no id names none.
    """
    rows = connection.execute(
        f"{_SELECT} WHERE state = %(state)s"
        " AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s::uuid)"
        " AND (%(organization)s::uuid IS NULL OR organization_id = %(organization)s::uuid)"
        " AND (%(integration)s::text IS NULL OR integration_id = %(integration)s)"
        " AND (%(ids)s::text[] IS NULL OR id::text = ANY(%(ids)s::text[]))"
        " ORDER BY created_at DESC, id LIMIT %(limit)s",
        {
            "state": state,
            "tenant": tenant_id,
            "organization": organization_id,
            "integration": integration_id,
            "ids": None if ids is None else list(ids),
            "limit": limit,
        },
    )
    return [_warning(row) for row in rows]


def lock_warnings(
    connection: Connection, tenant_id: str, organization_id: str, integration_id: str, ids: Sequence[str]
) -> list[SyncWarning]:
    """Read and lock warnings by id, open or not, within the given tenant, organization and integration."""
    rows = connection.execute(
        f"{_SELECT} WHERE tenant_id = %s AND organization_id = %s AND integration_id = %s"
        " AND id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE",
        (tenant_id, organization_id, integration_id, list(ids)),
    )
    return [_warning(row) for row in rows]


def close_warnings(connection: Connection, ids: Sequence[str], resolution: str = "settled") -> int:
    """Close warnings whose cause is gone; keeps a resolution that a user chose."""
    if not ids:
        return 0
    done = connection.execute(
        "UPDATE integration_warnings SET state = 'resolved', resolution = coalesce(resolution, %s),"
        " resolved_at = now(), updated_at = now() WHERE id = ANY(%s::uuid[]) AND state = 'open'",
        (resolution, list(ids)),
    )
    return done.rowcount


def close_warnings_of_kind(
    connection: Connection, integration_id: str, kinds: Sequence[str], interaction_id: str | None = None
) -> int:
    """Close the open warnings of these kinds: of one interaction, or of the integration as a whole."""
    done = connection.execute(
        "UPDATE integration_warnings SET state = 'resolved', resolution = coalesce(resolution, 'settled'),"
        " resolved_at = now(), updated_at = now() WHERE integration_id = %s AND kind = ANY(%s)"
        " AND interaction_id IS NOT DISTINCT FROM %s AND state = 'open'",
        (integration_id, list(kinds), interaction_id),
    )
    return done.rowcount


def choose_resolution(
    connection: Connection,
    ids: Sequence[str],
    resolution: str,
    by: str,
    *,
    tenant_id: str | None = None,
    organization_id: str | None = None,
) -> list[SyncWarning]:
    """Record a user's resolution on open warnings within the given scope; the warnings updated."""
    rows = connection.execute(
        _CHOOSE,
        {
            "resolution": resolution,
            "by": by,
            "ids": list(ids),
            "tenant": tenant_id,
            "organization": organization_id,
        },
    )
    return [_warning(row) for row in rows]


def _warning(row: tuple[Any, ...]) -> SyncWarning:
    return SyncWarning(
        id=row[0],
        integration_id=row[1],
        tenant_id=row[2],
        organization_id=row[3],
        interaction_id=row[4],
        entity_id=row[5],
        external_id=row[6],
        kind=row[7],
        field=row[8],
        detail=row[9],
        local_value=row[10],
        remote_value=row[11],
        state=row[12],
        resolution=row[13],
        created_at=row[14],
        updated_at=row[15],
        resolved_by=row[16],
    )
