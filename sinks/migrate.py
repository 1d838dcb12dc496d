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
import sinks.web_session_tables  # noqa: F401 - their tables join the metadata
from runtime.postgres import connect, make_engine
from runtime.settings import Settings
from schemas.errors import Stop
from sinks.legacy_tables import activities, todo_links
from sinks.monthly_partitions import PARTITIONED, ensure_partitions
from sinks.tables import metadata

_LOCK: Final = 0x1A7E0004
_MONTHLY: Final = re.compile(rf"{PARTITIONED}_y\d{{4}}m\d{{2}}")
#: Tables of the old model that a database may have before its first upgrade.
_ADOPTED: Final = (activities.name, todo_links.name)
#: Tables that earlier revisions create and later ones rename or drop.
_FORMER: Final = ("command_log", "outbox", "relay_positions")


def include_object(item: Any, name: str | None, kind: str, reflected: bool, wanted: Any) -> bool:
    """Leave out monthly partitions, which come and go at run time, and extra columns of adopted tables."""
    if kind == "table":
        return name is None or _MONTHLY.fullmatch(name) is None
    return not (kind == "column" and reflected and wanted is None and item.table.name in _ADOPTED)


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def upgrade(settings: Settings) -> None:
    """Upgrade the schema to the newest revision and create the partitions of the coming months.

    Safe to call from several processes at once: one upgrades, the others wait and find nothing to do.

    Tables of the old model are adopted, with their rows.

    :raises Retry: the database cannot be reached.
    :raises Stop: the database has tables of another program. Nothing was changed.
    """
    engine = make_engine(settings)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _refuse_foreign_tables(connection)
            command.upgrade(_config(connection), "head")
    finally:
        engine.dispose()
    with connect(settings, application_name="interactions-db-upgrade") as plain:
        ensure_partitions(plain)


def _refuse_foreign_tables(connection: sa.Connection) -> None:
    """Check that a database which was never upgraded has no tables of these names.

    :raises Stop: it has some.
    """
    if MigrationContext.configure(connection).get_current_revision() is not None:
        return
    inspector = sa.inspect(connection)
    existing = {*inspector.get_table_names(), *inspector.get_view_names()}
    foreign = sorted(existing & {*metadata.tables, *_FORMER} - {*_ADOPTED})
    if foreign:
        raise Stop(
            "The database has tables of another program, under names that are needed here:"
            f" {', '.join(foreign)}. Nothing was changed. Create a separate database, upgrade that, and bring"
            " the rows in with `interactions legacy import --from postgres:URL`."
        )


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
