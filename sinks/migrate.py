"""Database migrations: upgrade the schema, or compare it with the tables in code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import sinks.connector_tables
import sinks.integrity.tables
import sinks.jobs.tables
import sinks.legacy_tables  # noqa: F401 - their tables join the metadata
from runtime.postgres import connect, make_engine
from runtime.settings import Settings
from sinks.monthly_partitions import PARTITIONED, ensure_partitions
from sinks.tables import metadata

_LOCK: Final = 0x1A7E0004
_MONTHLY: Final = re.compile(rf"{PARTITIONED}_y\d{{4}}m\d{{2}}")


def include_object(_: Any, name: str | None, kind: str, __: bool, ___: Any) -> bool:
    """Leave out the monthly partitions: they are created and dropped at run time."""
    return not (kind == "table" and name is not None and _MONTHLY.fullmatch(name))


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def upgrade(settings: Settings) -> None:
    """Upgrade the schema to the newest revision and create the partitions of the coming months.

    Safe to call from several processes at once: one upgrades, the others wait and find nothing to do.

    :raises Retry: the database cannot be reached.
    """
    engine = make_engine(settings)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            command.upgrade(_config(connection), "head")
    finally:
        engine.dispose()
    with connect(settings, application_name="interactions-db-upgrade") as plain:
        ensure_partitions(plain)


def check(settings: Settings) -> list[str]:
    """List the differences between the database and the tables in code; empty when there are none."""
    engine = make_engine(settings)
    try:
        with engine.connect() as connection:
            config = _config(connection)
            context = MigrationContext.configure(
                connection,
                opts={
                    "include_object": include_object,
                    "compare_type": True,
                    "compare_server_default": True,
                },
            )
            head = ScriptDirectory.from_config(config).get_current_head()
            differences = [str(difference) for difference in compare_metadata(context, metadata)]
            if context.get_current_revision() != head:
                differences.insert(0, f"revision is {context.get_current_revision()}, the newest is {head}")
            return differences
    finally:
        engine.dispose()


def generate(settings: Settings, message: str) -> None:
    """Generate the migration from the database's schema to the tables in code (for developers)."""
    engine = make_engine(settings)
    try:
        with engine.begin() as connection:
            command.revision(_config(connection), message, autogenerate=True)
    finally:
        engine.dispose()
