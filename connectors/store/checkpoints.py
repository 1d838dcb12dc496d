"""Checkpoints: the position of a job per tenant and organization, to resume from."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from runtime.postgres import Connection


def read_checkpoint(
    connection: Connection, job: str, tenant_id: str, organization_id: str
) -> dict[str, Any] | None:
    """Read the last checkpoint of a job."""
    row = connection.execute(
        "SELECT checkpoint FROM job_checkpoints WHERE job = %s AND tenant_id = %s AND organization_id = %s",
        (job, tenant_id, organization_id),
    ).fetchone()
    return row[0] if row is not None else None


def write_checkpoint(
    connection: Connection, job: str, tenant_id: str, organization_id: str, checkpoint: dict[str, Any]
) -> None:
    """Store a checkpoint. Call it in the transaction of the work that it covers."""
    connection.execute(
        "INSERT INTO job_checkpoints (job, tenant_id, organization_id, checkpoint) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (job, tenant_id, organization_id)"
        " DO UPDATE SET checkpoint = excluded.checkpoint, updated_at = now()",
        (job, tenant_id, organization_id, Jsonb(checkpoint)),
    )
