"""Create a job, unless an unfinished one does the same."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from runtime.settings import Settings


def create_once(
    settings: Settings, kind: str, tenant_id: str | None, wanted: dict[str, Any]
) -> tuple[str, str | None]:
    """Create a job and return its id; or that of the unfinished one, with its state.

    :param tenant_id: ``None``: all tenants.
    :param wanted: settings of the job.
    """
    from runtime.postgres import connect
    from sinks.jobs.store import FINISHED, create_job, latest_job

    with connect(settings, application_name="interactions-cli", autocommit=True) as connection:
        known = latest_job(connection, [kind], tenant_id)
        if known is not None and known.state not in FINISHED and known.settings == wanted:
            return known.id, known.state
        job_id = str(uuid4())
        create_job(connection, job_id, kind, tenant_id=tenant_id, settings=wanted, requested_by="cli")
    return job_id, None
