"""Batches of a job: what was done, what failed and is to be retried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from runtime.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A range of source rows: keys after ``after_key``, up to and including ``last_key``.

    :param number: position in the job, from 1.
    """

    number: int
    source: str
    after_key: str | None
    last_key: str
    rows: int


def record_batch(
    connection: Connection,
    job_id: str,
    batch: Batch,
    *,
    error: str | None,
    report: dict[str, Any],
    seconds: float,
) -> None:
    """Store the outcome of a batch; a retry replaces the earlier outcome.

    :param error: one sentence without customer text; ``None``: the batch is done.
    """
    connection.execute(
        "INSERT INTO job_batches (job_id, number, source, after_key, last_key, rows, state, error, report,"
        " seconds) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (job_id, number) DO UPDATE SET state = excluded.state, error = excluded.error,"
        " report = excluded.report, seconds = excluded.seconds, attempts = job_batches.attempts + 1,"
        " updated_at = now()",
        (
            job_id,
            batch.number,
            batch.source,
            batch.after_key,
            batch.last_key,
            batch.rows,
            "done" if error is None else "failed",
            error,
            Jsonb(report),
            seconds,
        ),
    )


def failed_batches(connection: Connection, job_id: str, limit: int = 1000) -> list[Batch]:
    """List the failed batches of a job, in their order."""
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        return cursor.execute(
            "SELECT number, source, after_key::text, last_key::text, rows FROM job_batches"
            " WHERE job_id = %s AND state = 'failed' ORDER BY number LIMIT %s",
            (job_id, limit),
        ).fetchall()


def count_failed(connection: Connection, job_id: str) -> int:
    """Count the failed batches of a job, from their own index."""
    row = connection.execute(
        "SELECT count(*) FROM job_batches WHERE job_id = %s AND state = 'failed'", (job_id,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def batch_counts(connection: Connection, job_id: str) -> tuple[int, int]:
    """Count the batches of a job: all, and the failed ones."""
    row = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE state = 'failed') FROM job_batches WHERE job_id = %s",
        (job_id,),
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def failures(connection: Connection, job_id: str, limit: int = 20) -> list[tuple[int, int, int, str]]:
    """List failed batches for people: number, rows, attempts and error."""
    return connection.execute(
        "SELECT number, rows, attempts, error FROM job_batches"
        " WHERE job_id = %s AND state = 'failed' ORDER BY number LIMIT %s",
        (job_id, limit),
    ).fetchall()
