"""The job that completes an erasure: enqueued with it, so that it is never forgotten."""

from __future__ import annotations

from typing import Final

from domain.model import ErasedEntity
from runtime.postgres import Connection
from schemas.identity import derive_id, escaped
from sinks.erasure.erased import ErasedCustomer
from sinks.jobs.store import create_job

ERASE: Final = "erase"


def erasure_job_id(tenant_id: str, organization_id: str, command_id: str) -> str:
    """Id of the job of an erasure, derived from its command."""
    return derive_id("erase-job", tenant_id, organization_id, escaped(command_id))


def enqueue_erasure(connection: Connection, erased: ErasedEntity) -> None:
    """Create the job; inside the batch transaction that erases the customer."""
    _create(connection, erased, erased.command_id)


def is_cleaned(connection: Connection, erased: ErasedCustomer) -> bool:
    """Report whether the job of an erasure has done its work; retention may have removed the job since."""
    row = connection.execute(
        "SELECT cleaned_at IS NOT NULL FROM erased_entities WHERE entity_id = %s", (erased.entity_id,)
    ).fetchone()
    return row is not None and bool(row[0])


def continue_erasure(connection: Connection, erased: ErasedCustomer) -> str:
    """Return the id of the job. One that failed or was stopped before its end waits once more."""
    row = connection.execute(
        "SELECT command_id FROM erased_entities WHERE entity_id = %s", (erased.entity_id,)
    ).fetchone()
    assert row is not None
    job_id = erasure_job_id(erased.tenant_id, erased.organization_id, row[0])
    if not is_cleaned(connection, erased):
        _create(connection, erased, row[0])
        connection.execute(
            "UPDATE jobs SET state = 'waiting', reason = NULL, finished_at = NULL, updated_at = now()"
            " WHERE id = %s AND state IN ('paused', 'failed', 'canceled')",
            (job_id,),
        )
    return job_id


def _create(connection: Connection, erased: ErasedCustomer | ErasedEntity, command_id: str) -> None:
    create_job(
        connection,
        erasure_job_id(erased.tenant_id, erased.organization_id, command_id),
        ERASE,
        tenant_id=erased.tenant_id,
        organization_id=erased.organization_id,
        settings={"entityId": erased.entity_id, "commandId": command_id, "mirrors": erased.mirrors},
    )
