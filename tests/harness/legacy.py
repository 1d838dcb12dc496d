"""Rows of the legacy tables, and jobs on them."""

from __future__ import annotations

from typing import Any, Final

from psycopg import sql

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from sinks.jobs.store import FINISHED, Job, create_job, find_job
from sinks.legacy_tables import lift_freeze
from tests.harness.roles import wait_until
from tests.harness.wire import ORGANIZATION, TENANT, new_id

_TIMES: Final = {"created_at": "2024-02-01T10:00:00Z", "updated_at": "2024-02-03T10:00:00Z"}
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "customer_activities": {"activity_type": "call", **_TIMES},
    "customer_todo_links": {"todo_source": "example:todo", "created_at": _TIMES["created_at"]},
    "legacy_todos": {"todo_source": "example:todo", "title": "Send the offer", **_TIMES},
    "legacy_interactions": {"interaction_type": "call", "status": "planned", **_TIMES},
    "legacy_external_links": {},
}
_WITHOUT_ID: Final = frozenset({"legacy_external_links"})


def plant(settings: Settings, table: str, **columns: Any) -> str:
    """Insert one legacy row with defaults; return its id."""
    return plant_all(settings, table, [columns])[0]


def plant_all(settings: Settings, table: str, rows: list[dict[str, Any]]) -> list[str]:
    """Insert legacy rows with defaults; return their ids."""
    complete = []
    for row in rows:
        identity = {} if table in _WITHOUT_ID else {"id": new_id()}
        complete.append(
            {**identity, "tenant_id": TENANT, "organization_id": ORGANIZATION, **_DEFAULTS[table], **row}
        )
    names = list(dict.fromkeys(name for row in complete for name in row))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Placeholder, names)),
    )
    empty = dict.fromkeys(names)
    with connect(settings, application_name="test") as connection:
        lift_freeze(connection)
        with connection.cursor() as cursor:
            cursor.executemany(statement, [{**empty, **row} for row in complete])
    return [row.get("id", "") for row in complete]


def start_job(settings: Settings, kind: str, tenant: str | None = TENANT, **wanted: Any) -> str:
    """Create a job."""
    job_id = new_id()
    with connect(settings, application_name="test", autocommit=True) as connection:
        create_job(connection, job_id, kind, tenant_id=tenant, settings=wanted)
    return job_id


def job_of(settings: Settings, job_id: str) -> Job:
    with connect(settings, application_name="test", autocommit=True) as connection:
        job = find_job(connection, job_id)
    assert job is not None, f"there is no job {job_id}"
    return job


def wait_for_job(settings: Settings, job_id: str, seconds: float = 60.0) -> Job:
    """Wait until a job is finished or paused."""
    over = (*FINISHED, "paused")

    def ended() -> bool:
        return _state(settings, job_id) in over

    wait_until(ended, seconds, lambda: str(job_of(settings, job_id)))
    return job_of(settings, job_id)


def run_job(settings: Settings, kind: str, tenant: str | None = TENANT, **wanted: Any) -> Job:
    """Create a job and wait until it is finished or paused."""
    return wait_for_job(settings, start_job(settings, kind, tenant, **wanted))


def rows_of(settings: Settings, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a query."""
    with connect(settings, application_name="test") as connection:
        return _fetch(connection, statement, values)


def _fetch(connection: Connection, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return connection.execute(statement.encode(), values).fetchall()


def _state(settings: Settings, job_id: str) -> str | None:
    with connect(settings, application_name="test", autocommit=True) as connection:
        job = find_job(connection, job_id)
    return job.state if job is not None else None
