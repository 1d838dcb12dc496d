"""The same commands through SQL only, and raw COPY of the resulting rows as the upper bound."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.context import Bench
from bench.deployment import apply_batches, fresh_database, tune_gc
from bench.reference_rows import TABLES, ReferenceRows
from bench.samples import Sample
from bench.servers import checkpoint
from bench.workload import creates, decode, entity_ids
from runtime.postgres import Connection, connect
from schemas.topics import COMMANDS
from sinks.journal_rows import ENTRY, entry_of
from sinks.records import INTERACTIONS

_NAMES: Final = INTERACTIONS.selection("i")


def sql_only(bench: Bench) -> Sample:
    """Commands per second: first time, redelivered, and repeated under new offsets; and COPY of the reference
    rows of the same commands, in transactions of the same size, on one connection each."""
    sizes = bench.sizes
    messages = creates(sizes.commands, entity_ids(sizes.entities), "sql")
    with fresh_database(bench.servers) as settings:
        commands = decode(messages, settings.topic(COMMANDS), sizes.partitions)
        repeated = decode([*messages, *messages], settings.topic(COMMANDS), sizes.partitions)[len(messages) :]
        tune_gc()
        checkpoints = checkpoint(bench.servers)
        with connect(settings, application_name="interactions-bench") as connection:
            log, disk = _written(connection)
            server = _server_seconds(connection)
            began, worked = time.perf_counter(), time.thread_time()
            apply_batches(connection, settings, commands, sizes.batch_size)
            applied = time.perf_counter() - began
            worked = time.thread_time() - worked
            server = _server_seconds(connection) - server
            log, disk = (
                after - before for before, after in zip((log, disk), _written(connection), strict=True)
            )
            began = time.perf_counter()
            apply_batches(connection, settings, commands, sizes.batch_size)
            redelivered = time.perf_counter() - began
            began = time.perf_counter()
            apply_batches(connection, settings, repeated, sizes.batch_size)
            repeated_seconds = time.perf_counter() - began
            batches = _reference(connection, sizes.batch_size)
            rows, row_bytes = _stored(connection)
    count = len(messages)
    copied = _copied(bench, batches)
    return {
        "commands": count,
        "applied": count / applied,
        "redelivered": count / redelivered,
        "repeated": count / repeated_seconds,
        "copied": count / copied.seconds,
        "copied_wal_bytes": copied.wal_bytes / count,
        "wal_bytes": log / count,
        "disk_bytes": disk / count,
        "client_us": worked / count * 1e6,
        "server_us": server / count * 1e6,
        "copy_server_us": copied.server_seconds / count * 1e6,
        "rows": rows,
        "row_bytes": row_bytes,
        "checkpoints": checkpoints,
    }


def _written(connection: Connection) -> tuple[float, float]:
    """Bytes of write-ahead log so far, and of this database on disk."""
    found = connection.execute(
        "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn, pg_database_size(current_database())"
    ).fetchone()
    connection.commit()
    assert found is not None
    return float(found[0]), float(found[1])


def _server_seconds(connection: Connection) -> float:
    """Processor time so far of the backend process of a connection (proc(5)); nearly independent of other
    load on the machine."""
    pid = connection.info.backend_pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Copied:
    seconds: float
    server_seconds: float
    wal_bytes: float


def _copied(bench: Bench, batches: Sequence[tuple[bytes, ReferenceRows]]) -> _Copied:
    """COPY the reference rows as ready text."""
    with fresh_database(bench.servers) as settings:
        with connect(settings, application_name="interactions-bench", autocommit=True) as connection:
            connection.execute(TABLES.encode())
        checkpoint(bench.servers)
        with connect(settings, application_name="interactions-bench") as connection:
            server, (log, _) = _server_seconds(connection), _written(connection)
            began = time.perf_counter()
            for interactions, reference in batches:
                INTERACTIONS.insert.copy_text(connection, interactions)
                reference.copy(connection)
                connection.commit()
            seconds = time.perf_counter() - began
            return _Copied(seconds, _server_seconds(connection) - server, _written(connection)[0] - log)


def _reference(connection: Connection, size: int) -> list[tuple[bytes, ReferenceRows]]:
    """Interactions as stored, and reference rows of their commands: one item per batch."""
    query = f"COPY (SELECT {_NAMES} FROM customer_interactions i ORDER BY created_at, id) TO STDOUT"
    with connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
        lines = [bytes(line) for line in copy]
    found = connection.execute(f"SELECT {ENTRY} FROM journal j ORDER BY position".encode())
    entries = [entry_of(row) for row in found]
    starts = range(0, len(entries), size)
    return [
        (b"".join(lines[start : start + size]), ReferenceRows(entries[start : start + size]))
        for start in starts
    ]


def _stored(connection: Connection) -> tuple[int, float]:
    """Rows written, and mean size of an interaction's row in bytes."""
    found = connection.execute(
        "SELECT (SELECT count(*) FROM journal) + count(*), avg(pg_column_size(i))"
        " FROM customer_interactions i"
    ).fetchone()
    assert found is not None
    return int(found[0]), float(found[1])
