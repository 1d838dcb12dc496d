"""A separate stack for tools and tests that break servers."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from psycopg import sql
from pydantic import SecretStr

from runtime.running_stack import read_running_stack
from runtime.settings import ENV_PREFIX, Settings
from sinks.migrate import upgrade
from stack.down import stop_stack
from stack.launch import launch_stack
from tests.stack_fixtures import _administer, _on_database

TEMPLATE = "template_interactions"


@contextlib.contextmanager
def own_servers(session_timeout_ms: int = 3000, heartbeat_ms: int = 500) -> Iterator[Settings]:
    """Run Kafka, Postgres and the registry for the duration of a block, with a migrated template database.

    The stack's supervisor restarts servers that a fault has ended.
    """
    own = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(ENV_PREFIX)}
    home = Path(tempfile.mkdtemp(prefix="interactions-faults-"))
    os.environ.update(
        INTERACTIONS_KAFKA_SESSION_TIMEOUT_MS=str(session_timeout_ms),
        INTERACTIONS_KAFKA_HEARTBEAT_MS=str(heartbeat_ms),
    )
    try:
        addresses = launch_stack(home, "none", stop_with_parent=True).addresses
        settings = Settings(
            home=home,
            database_url=SecretStr(addresses.database_url),
            kafka_bootstrap_servers=addresses.kafka_bootstrap_servers,
            schema_registry_url=addresses.schema_registry_url,
        )
        _administer(settings, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        upgrade(_on_database(settings, TEMPLATE))
        yield settings
    finally:
        stop_stack(home)
        shutil.rmtree(home, ignore_errors=True)
        for name in ("INTERACTIONS_KAFKA_SESSION_TIMEOUT_MS", "INTERACTIONS_KAFKA_HEARTBEAT_MS"):
            os.environ.pop(name, None)
        os.environ.update(own)


def server_pid(settings: Settings, role: str) -> int | None:
    """Pid of ``postgres``, ``kafka`` or ``schema-registry``; ``None`` while it is down."""
    running = read_running_stack(settings.home)
    assert running is not None, "the stack's supervisor has exited"
    record = next(record for record in running.processes if record.role == role)
    return record.pid if record.state == "running" else None
