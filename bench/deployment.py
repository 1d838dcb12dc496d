"""A separate deployment per sample: a copied database, new topics, a new consumer group."""

from __future__ import annotations

import contextlib
import gc
import uuid
from collections.abc import Iterator, Sequence
from typing import Final

from psycopg import sql

from bench.servers import administer, on_database
from bench.sizes import Sizes
from bench.workload import decode, entity_upserts
from runtime.kafka import make_admin
from runtime.postgres import Connection, connect
from runtime.schema_registration import register_schemas
from runtime.settings import Settings
from runtime.topics import ensure_topics, existing_topics
from schemas.command import Command, Refused
from schemas.topics import COMMANDS
from sinks.batch import BatchSink
from sinks.migrate import upgrade
from sinks.query_plans import KEEP_PLANS
from streams.applier.apply import Applier

EMPTY: Final = "bench_empty"
CUSTOMERS: Final = "bench_customers"


def make_templates(servers: Settings, sizes: Sizes) -> None:
    """Create the template databases: one with the current schema, and a copy with customers applied to it."""
    administer(servers, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(EMPTY)))
    upgrade(on_database(servers, EMPTY))
    copy_database(servers, EMPTY, CUSTOMERS)
    settings = on_database(servers, CUSTOMERS).model_copy(update={"consumer_group": "bench-customers"})
    commands = decode(entity_upserts(sizes.entities), settings.topic(COMMANDS), sizes.partitions)
    with connect(settings, application_name="interactions-bench") as connection:
        apply_batches(connection, settings, commands, sizes.batch_size)
        connection.execute("TRUNCATE journal, consumed_offsets")
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")


def copy_database(servers: Settings, template: str, name: str) -> None:
    """Copy a database that has no connections."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    administer(servers, statement.format(sql.Identifier(name), sql.Identifier(template)))


def drop_database(servers: Settings, name: str) -> None:
    """Drop a database and its connections."""
    administer(servers, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextlib.contextmanager
def fresh_database(servers: Settings, template: str = CUSTOMERS) -> Iterator[Settings]:
    """Provide a copy of a template database, without topics, for the duration of a block."""
    name = f"b{uuid.uuid4().hex[:12]}"
    copy_database(servers, template, name)
    try:
        yield on_database(servers, name).model_copy(
            update={"topic_prefix": f"{name}.", "consumer_group": f"{name}-applier"}
        )
    finally:
        drop_database(servers, name)


@contextlib.contextmanager
def fresh_deployment(servers: Settings, template: str = CUSTOMERS) -> Iterator[Settings]:
    """Provide a database and topics of its own for the duration of a block."""
    with fresh_database(servers, template) as settings:
        ensure_topics(settings)
        register_schemas(settings)
        try:
            yield settings
        finally:
            admin = make_admin(settings)
            mine = [topic for topic in existing_topics(admin) if topic.startswith(settings.topic_prefix)]
            for future in admin.delete_topics(mine).values():
                future.result()


def apply_batches(
    connection: Connection, settings: Settings, commands: Sequence[Command | Refused], size: int
) -> None:
    """Apply commands through SQL only, in batches, as the applier's writer does."""
    for setting in KEEP_PLANS:
        connection.execute(setting)
    connection.commit()
    sink = BatchSink(connection, consumer_group=settings.consumer_group, topic=settings.topic(COMMANDS))
    applier = Applier(sink)
    for start in range(0, len(commands), size):
        batch = commands[start : start + size]
        starts: dict[int, int] = {}
        for command in batch:
            starts.setdefault(command.record.partition, command.record.offset)
        applier.apply(batch, starts, {})


def tune_gc() -> None:
    """Configure garbage collection as a role does (``streams.run_role``) and exempt the inputs from it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
