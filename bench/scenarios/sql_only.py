"""The same commands through SQL only, and as raw COPY of the rows that came of them: the ceiling."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.context import Bench
from bench.deployment import apply_batches, fresh_database, quiet_collector
from bench.samples import Sample
from bench.servers import checkpoint
from bench.workload import creates, decode, entity_ids
from runtime.postgres import Connection, connect
from schemas.topics import COMMANDS
from sinks.columns import INTERACTION, LOG, OUTBOX

_TABLES: Final = (
    # A table, its columns, and the order in which its rows were written.
    ("customer_interactions", INTERACTION, "created_at, id"),
    ("command_log", LOG, '"offset", partition'),
    ("outbox", OUTBOX, "position"),
)


def sql_only(bench: Bench) -> Sample:
    """Commands a second: applied for the first time, redelivered, repeated under new offsets; and the
    COPY of their rows of the log, the outbox and the interactions, in batches and transactions of the
    same size, on one connection each."""
    sizes = bench.sizes
    messages = creates(sizes.commands, entity_ids(sizes.entities), "sql")
    with fresh_database(bench.servers) as settings:
        commands = decode(messages, settings.topic(COMMANDS), sizes.partitions)
        repeated = decode([*messages, *messages], settings.topic(COMMANDS), sizes.partitions)[len(messages) :]
        quiet_collector()
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
            twice = time.perf_counter() - began
            batches = _rows(connection, sizes.batch_size)
            written = [connection.execute(f"SELECT count(*) FROM {t}").fetchone() for t, *_ in _TABLES]
    count = len(messages)
    copied, copy_server = _copied(bench, batches)
    return {
        "commands": count,
        "applied": count / applied,
        "redelivered": count / redelivered,
        "repeated": count / twice,
        "copied": count / copied,
        "wal_bytes": log / count,
        "disk_bytes": disk / count,
        "client_us": worked / count * 1e6,
        "server_us": server / count * 1e6,
        "copy_server_us": copy_server / count * 1e6,
        "rows": sum(row[0] for row in written if row),
        "outbox_rows": written[2][0] if written[2] else 0,
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
    """Processor time so far of the server process behind a connection (proc(5)): little of it depends on
    who else uses the machine."""
    pid = connection.info.backend_pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _copied(bench: Bench, batches: Sequence[dict[str, bytes]]) -> tuple[float, float]:
    """Seconds that the same rows take as text that needs only to be sent, and the server's of them."""
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
    """The rows that were written, as COPY text: a dictionary of tables for each batch of commands."""
    batches: list[dict[str, bytes]] = []
    connection.execute("SET LOCAL work_mem = '256MB'")
    for table, columns, order in _TABLES:
        query = f"COPY (SELECT {_names(columns)} FROM {table} ORDER BY {order}) TO STDOUT"
        with connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
            lines = [bytes(line) for line in copy]
        commands = connection.execute("SELECT count(*) FROM command_log").fetchone()
        assert commands is not None
        count = -(-commands[0] // size)
        share = -(-len(lines) // count)
        for number in range(count):
            if len(batches) <= number:
                batches.append({})
            batches[number][table] = b"".join(lines[number * share : (number + 1) * share])
    return batches
