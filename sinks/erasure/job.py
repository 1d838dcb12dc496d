"""The job that completes an erasure: enqueued with it, so that it is never forgotten."""

from __future__ import annotations

from typing import Final

from domain.model import ErasedEntity
from runtime.postgres import Connection
from schemas.identity import derive_id, escaped
from sinks.jobs.store import create_job

ERASE: Final = "erase"


def erasure_job_id(tenant_id: str, organization_id: str, command_id: str) -> str:
    """Id of the job of an erasure, derived from its command."""
    return derive_id("erase-job", tenant_id, organization_id, escaped(command_id))


def enqueue_erasure(connection: Connection, erased: ErasedEntity) -> None:
    """Create the job; inside the batch transaction that erases the customer."""
    create_job(
        connection,
        erasure_job_id(erased.tenant_id, erased.organization_id, erased.command_id),
        ERASE,
        tenant_id=erased.tenant_id,
        organization_id=erased.organization_id,
        settings={
            "entityId": erased.entity_id,
            "commandId": erased.command_id,
            "mirrors": erased.mirrors,
        },
    )
