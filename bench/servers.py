"""Servers for one run; their durability settings are verified, not assumed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from confluent_kafka import KafkaException
from psycopg import sql
from pydantic import SecretStr

from runtime.kafka import make_producer
from runtime.postgres import connect
from runtime.running_stack import read_running_stack
from runtime.settings import ENV_PREFIX, Settings
from schemas.errors import Retry
from stack.down import stop_stack
from stack.launch import launch_stack

Progress = Callable[[str], None]
_DURABLE: Final = {"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"}
_SHOWN: Final = (
    "shared_buffers", "max_wal_size", "checkpoint_timeout", "wal_compression", "wal_sync_method", "jit",
)  # fmt: skip


@contextlib.contextmanager
def own_servers(progress: Progress) -> Iterator[Settings]:
    """Run Kafka, Postgres and the registry for the duration of a block, and remove their data afterwards."""
    outside = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(ENV_PREFIX)}
    home = Path(tempfile.mkdtemp(prefix="interactions-bench-"))
    try:
        addresses = launch_stack(home, "none", stop_with_parent=True, progress=progress).addresses
        settings = Settings(
            home=home,
            database_url=SecretStr(addresses.database_url),
            kafka_bootstrap_servers=addresses.kafka_bootstrap_servers,
            schema_registry_url=addresses.schema_registry_url,
        )
        progress("restarting Postgres with commit timestamps")
        _keep_commit_timestamps(settings)
        yield settings
    finally:
        stop_stack(home)
        shutil.rmtree(home, ignore_errors=True)
        os.environ.update(outside)


def on_database(settings: Settings, name: str) -> Settings:
    """Settings for another database on the same servers."""
    assert settings.database_url is not None
    url = urlsplit(settings.database_url.get_secret_value())._replace(path=f"/{name}").geturl()
    return settings.model_copy(update={"database_url": SecretStr(url)})


def administer(settings: Settings, statement: sql.Composed | str) -> list[tuple[Any, ...]]:
    """Run one statement outside a transaction; returns its rows, if any."""
    with connect(
        on_database(settings, "postgres"), application_name="interactions-bench", autocommit=True
    ) as connection:
        cursor = connection.execute(statement.encode() if isinstance(statement, str) else statement)
        return cursor.fetchall() if cursor.description else []


def durable_settings(settings: Settings) -> dict[str, str]:
    """Read the server settings that the figures depend on.

    :raises AssertionError: a durability setting is off, which would make every figure meaningless.
    """
    names = (*_DURABLE, *_SHOWN, "track_commit_timestamp")
    found = {name: str(administer(settings, f"SHOW {name}")[0][0]) for name in names}
    for name, wanted in _DURABLE.items():
        if found[name] != wanted:
            raise AssertionError(f"{name} is {found[name]}; the bench requires {wanted}")
    try:
        make_producer(settings, acks="1")
    except KafkaException:
        found["acks"] = "all"  # an idempotent producer refuses anything less
    else:
        raise AssertionError("producers can be created without acks=all")
    return found


def checkpoint(settings: Settings) -> int:
    """Force a checkpoint, so that following writes pay for full page images; returns their count so far."""
    administer(settings, "CHECKPOINT")
    return int(administer(settings, "SELECT num_done FROM pg_stat_checkpointer")[0][0])


def _keep_commit_timestamps(settings: Settings) -> None:
    administer(settings, "ALTER SYSTEM SET track_commit_timestamp = on")
    running = read_running_stack(settings.home)
    assert running is not None
    pid = next(record.pid for record in running.processes if record.role == "postgres")
    assert pid is not None
    os.kill(pid, signal.SIGINT)  # fast shutdown; the stack's supervisor restarts it
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(Retry, OSError):
            if administer(settings, "SHOW track_commit_timestamp")[0][0] == "on":
                return
        time.sleep(0.1)
    raise AssertionError("Postgres did not restart with track_commit_timestamp = on")
