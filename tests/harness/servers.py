"""A separate stack for tools and tests that break servers."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from psycopg import sql

from runtime.running_stack import read_running_stack
from runtime.settings import Settings
from sinks.migrate import upgrade
from stack.down import stop_stack
from stack.launch import launch_stack
from tests.session_stack import environment_of_tests, settings_of
from tests.stack_fixtures import _administer, _on_database

TEMPLATE = "template_interactions"


@contextlib.contextmanager
def own_servers(session_timeout_ms: int = 3000, heartbeat_ms: int = 500) -> Iterator[Settings]:
    """Run Kafka, Postgres and the registry for the duration of a block, with a migrated template database.

    The stack's supervisor restarts servers that a fault has ended.
    """
    home = Path(tempfile.mkdtemp(prefix="interactions-faults-"))
    with environment_of_tests(session_timeout_ms, heartbeat_ms):
        try:
            launch_stack(home, "none", stop_with_parent=True)
            settings = settings_of(home)
            _administer(settings, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
            upgrade(_on_database(settings, TEMPLATE))
            yield settings
        finally:
            stop_stack(home)
            shutil.rmtree(home, ignore_errors=True)


def server_pid(settings: Settings, role: str) -> int | None:
    """Pid of ``postgres``, ``kafka`` or ``schema-registry``; ``None`` while it is down."""
    running = read_running_stack(settings.home)
    assert running is not None, "the stack's supervisor has exited"
    record = next(record for record in running.processes if record.role == role)
    return record.pid if record.state == "running" else None
