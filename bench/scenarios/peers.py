"""Peers, each timed on a backlog of the same size: warmed up first, with one writing connection per task."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]
from psycopg.conninfo import conninfo_to_dict

from bench.context import Bench
from bench.deployment import EMPTY, fresh_database, fresh_deployment
from bench.kafka_clients import publish
from bench.peers import debezium
from bench.peers.process import Peer, peer
from bench.peers.rows import TABLE, last_rows, make_table, rows_of
from bench.roles import environment
from bench.samples import Sample
from bench.servers import checkpoint
from bench.workload import Message, creates, entity_ids
from runtime.kafka import make_admin, make_producer
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from stack.artifacts import cache_root

_LOCK: Final = Path(__file__).parents[1] / "peers" / "quix.requirements.lock"
_SCRIPT: Final = Path(__file__).parents[1] / "peers" / "quix_sink.py"


def stock_faust(bench: Bench) -> Sample:
    """Commands per second of a stock Faust agent that applies our rules one command at a time."""
    sizes = bench.sizes
    warm = min(200, sizes.row_by_row // 5)
    messages = creates(sizes.row_by_row + warm, entity_ids(sizes.entities), "faust")
    with (
        fresh_deployment(bench.servers) as settings,
        connect(settings, application_name="interactions-bench", autocommit=True) as connection,
        peer([sys.executable, "-m", "bench.peers.stock_faust"], environment(settings)) as process,
    ):

        def applied() -> int:
            found = connection.execute("SELECT count(*) FROM journal").fetchone()
            return int(found[0]) if found else 0

        publish(settings, messages[:warm])
        process.wait_until(lambda: applied() >= warm, "the warm-up")
        checkpoint(bench.servers)
        timing = process.timed(
            settings,
            lambda: publish(settings, messages[warm:]),
            lambda: applied() >= len(messages),
            "the last command",
        )
    return {"rate": sizes.row_by_row / timing.seconds}


def quix(bench: Bench) -> Sample:
    """Rows per second of quixstreams' PostgreSQLSink."""
    python = _quix_environment(bench.progress)

    def run(settings: Settings, topic: str, folder: Path) -> tuple[list[str], dict[str, str]]:
        assert settings.database_url is not None
        address = conninfo_to_dict(settings.database_url.get_secret_value())
        arguments = [
            str(python), str(_SCRIPT), str(settings.kafka_bootstrap_servers), topic, f"{topic}-quix",
            str(address["host"]), str(address["port"]), str(address["dbname"]), str(address["user"]), TABLE,
        ]  # fmt: skip
        # A state directory of its own, and none of this project's packages on its path.
        plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return arguments, {**plain, "PGPASSWORD": str(address["password"]), "TMPDIR": str(folder)}

    return _rows_through(bench, run)


def debezium_sink(bench: Bench) -> Sample:
    """Rows per second of Debezium's JDBC sink with one task."""
    return _debezium(bench, tasks=1)


def debezium_sink_two(bench: Bench) -> Sample:
    """Rows per second of Debezium's JDBC sink with two tasks, on two connections."""
    return _debezium(bench, tasks=2)


def _debezium(bench: Bench, tasks: int) -> Sample:
    debezium.prepare(bench.progress)

    def run(settings: Settings, topic: str, folder: Path) -> tuple[list[str], dict[str, str]]:
        worker, connector = folder / "worker.properties", folder / "connector.properties"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        debezium.write_properties(worker, debezium.worker_settings(settings, folder / "offsets", port))
        debezium.write_properties(connector, debezium.connector_settings(settings, topic, tasks))
        arguments = [*debezium.command_line(folder, bench.progress), str(worker), str(connector)]
        return arguments, dict(os.environ)

    return _rows_through(bench, run)


def _rows_through(
    bench: Bench, run: Callable[[Settings, str, Path], tuple[list[str], dict[str, str]]]
) -> Sample:
    sizes = bench.sizes
    # The JVM needs a longer warm-up than Python; both get the same.
    warm = max(10_000, sizes.commands // 3)
    rows = rows_of(creates(sizes.commands + warm, entity_ids(sizes.entities), "peer"))
    topic = f"peer-{uuid.uuid4().hex[:12]}"
    admin = make_admin(bench.servers)
    admin.create_topics([NewTopic(topic, sizes.partitions, 1)])[topic].result()
    try:
        with (
            fresh_database(bench.servers, EMPTY) as settings,
            tempfile.TemporaryDirectory(prefix="interactions-peer-") as folder,
            connect(settings, application_name="interactions-bench", autocommit=True) as connection,
        ):
            make_table(connection)
            arguments, environment = run(settings, topic, Path(folder))
            with peer(arguments, environment, Path(folder)) as process:
                publish_backlog, stored = _backlog(
                    settings, connection, topic, rows[:warm], "warm-up", sizes.partitions
                )
                publish_backlog()
                process.wait_until(stored, "the warm-up")
                checkpoint(bench.servers)
                publish_backlog, stored = _backlog(
                    settings, connection, topic, rows[warm:], "measured", sizes.partitions
                )
                timing = process.timed(settings, publish_backlog, stored, "the last row")
                found = connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
            if found is None or found[0] != len(rows) + 2 * sizes.partitions:
                raise RuntimeError(f"{found} rows were stored, but {len(rows)} were sent")
    finally:
        admin.delete_topics([topic])[topic].result()
    count = len(rows) - warm
    return {"rate": count / timing.seconds, "all_us": timing.processor_seconds / count * 1e6}


def _backlog(
    settings: Settings, connection: Connection, topic: str, rows: Sequence[Message], run: str, partitions: int
) -> tuple[Callable[[], None], Callable[[], bool]]:
    last, ids = last_rows(partitions, run)

    def publish_backlog() -> None:
        publish(settings, rows, topic)
        producer = make_producer(settings)
        for number, message in enumerate(last):
            producer.produce(topic, key=message.key, value=message.value, partition=number)
        producer.flush(60)

    def stored() -> bool:
        query = f"SELECT count(*) FROM {TABLE} WHERE id = ANY(%s::uuid[])"
        found = connection.execute(query.encode(), (ids,)).fetchone()
        return found is not None and found[0] == len(ids)

    return publish_backlog, stored


def _quix_environment(progress: Callable[[str], None]) -> Path:
    """Virtual environment of the peer (it needs an older client), created once.

    :raises subprocess.CalledProcessError: the installation failed.
    """
    folder = cache_root() / "bench-quix"
    stamp = folder / "installed"
    python = folder / "bin" / "python"
    wanted = _LOCK.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    progress("installing quixstreams in a separate environment")
    uv = str(Path(sys.executable).with_name("uv"))
    for arguments in (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        ["pip", "install", "--quiet", "--require-hashes", "--python", str(python), "-r", str(_LOCK)],
    ):
        subprocess.run([uv, *arguments], check=True, capture_output=True)
    stamp.write_text(wanted)
    return python


__all__ = ["Peer", "debezium_sink", "debezium_sink_two", "quix", "stock_faust"]
