"""The same commands through SQL only, and raw COPY of the resulting rows as the upper bound."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.context import Bench
from bench.deployment import apply_batches, fresh_database, tune_gc
from bench.samples import Sample
from bench.servers import checkpoint
from bench.workload import creates, decode, entity_ids
from runtime.postgres import Connection, connect
from schemas.topics import COMMANDS
from sinks.journal_rows import JOURNAL
from sinks.records import INTERACTIONS

_TABLES: Final = (
    # Table, columns, and the order in which the rows were written.
    ("customer_interactions", INTERACTIONS.columns, "created_at, id"),
    ("journal", JOURNAL, "position"),
)


def sql_only(bench: Bench) -> Sample:
    """Commands per second: first time, redelivered, and repeated under new offsets; and COPY of the same rows
    of journal and interactions, in transactions of the same size, on one connection each."""
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
            batches = _rows(connection, sizes.batch_size)
            written = [connection.execute(f"SELECT count(*) FROM {t}").fetchone() for t, *_ in _TABLES]
    count = len(messages)
    copied, copy_server = _copied(bench, batches)
    return {
        "commands": count,
        "applied": count / applied,
        "redelivered": count / redelivered,
        "repeated": count / repeated_seconds,
        "copied": count / copied,
        "wal_bytes": log / count,
        "disk_bytes": disk / count,
        "client_us": worked / count * 1e6,
        "server_us": server / count * 1e6,
        "copy_server_us": copy_server / count * 1e6,
        "rows": sum(row[0] for row in written if row),
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


def _copied(bench: Bench, batches: Sequence[dict[str, bytes]]) -> tuple[float, float]:
    """Seconds to COPY the same rows as ready text, and the backend's processor seconds."""
    with fresh_database(bench.servers) as settings:
        checkpoint(bench.servers)
        with connect(settings, application_name="interactions-bench") as connection:
            server = _server_seconds(connection)
            began = time.perf_counter()
            for batch in batches:
                with connection.cursor() as cursor:
                    for table, columns, _ in _TABLES:
                        with cursor.copy(f"COPY {table} ({_names(columns)}) FROM STDIN".encode()) as copy:
                            copy.write(batch[table])
                connection.commit()
            seconds = time.perf_counter() - began
            return seconds, _server_seconds(connection) - server


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _rows(connection: Connection, size: int) -> list[dict[str, bytes]]:
    """Rows written, as COPY text: one dictionary by table per batch of commands."""
    batches: list[dict[str, bytes]] = []
    connection.execute("SET LOCAL work_mem = '256MB'")
    for table, columns, order in _TABLES:
        query = f"COPY (SELECT {_names(columns)} FROM {table} ORDER BY {order}) TO STDOUT"
        with connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
            lines = [bytes(line) for line in copy]
        commands = connection.execute("SELECT count(*) FROM journal").fetchone()
        assert commands is not None
        count = -(-commands[0] // size)
        share = -(-len(lines) // count)
        for number in range(count):
            if len(batches) <= number:
                batches.append({})
            batches[number][table] = b"".join(lines[number * share : (number + 1) * share])
    return batches
