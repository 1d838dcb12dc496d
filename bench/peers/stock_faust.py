"""The same rules in a stock Faust agent: one command per transaction, with SQLAlchemy.

Run as ``python -m bench.peers.stock_faust``; servers come from the environment. The agent uses the product's
decoder and rules, so that the difference is only in how it reads and writes.
"""

from __future__ import annotations

import tempfile
from typing import Any, Final

import faust
import orjson
import sqlalchemy as sa

from domain.decide import decide
from domain.decision import Decision
from domain.lifecycle import created_id
from domain.log_identity import log_identity
from domain.results import result_of
from domain.unit_of_work import UnitOfWork
from runtime.postgres import make_engine
from runtime.settings import Settings, load_settings
from schemas.command import Command, Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from schemas.instants import format_instant
from schemas.topics import COMMANDS, RESULTS
from sinks import tables
from sinks.journal_rows import JOURNAL, journal_row
from sinks.records import ENTITIES, INTERACTIONS

_E, _I, _J = tables.entities, tables.interactions, tables.journal
_COLUMNS: Final = [_I.c[name] for name in INTERACTIONS.columns]
_ENTITY: Final[sa.BindParameter[str]] = sa.bindparam("entity")

# Built once, so that SQLAlchemy compiles each statement once.
_KNOWN: Final = sa.select(_J.c.outcome).where(
    _J.c.tenant_id == sa.bindparam("tenant"),
    _J.c.organization_id == sa.bindparam("organization"),
    _J.c.command_id == sa.bindparam("command"),
)
_LOCKED: Final = (
    sa.select(*(_E.c[name] for name in ENTITIES.columns))
    .where(_E.c.id == _ENTITY)
    .with_for_update(key_share=True)
)
_ROWS: Final = (
    sa.select(*_COLUMNS).where(_I.c.id == sa.bindparam("interaction")),
    sa.select(*_COLUMNS)
    .where(_I.c.entity_id == _ENTITY, _I.c.status == "planned", _I.c.scheduled_at.is_not(None))
    .order_by(_I.c.scheduled_at, _I.c.priority.desc().nulls_last(), _I.c.created_at, _I.c.id)
    .limit(2),
    sa.select(*_COLUMNS)
    .where(_I.c.entity_id == _ENTITY, _I.c.status == "done", _I.c.occurred_at.is_not(None))
    .order_by(_I.c.occurred_at.desc(), _I.c.created_at.desc(), _I.c.id.desc())
    .limit(2),
)
_ENTITY_CHANGE: Final = sa.update(_E).where(_E.c.id == sa.bindparam("wanted"))
_UPDATE_INTERACTION: Final = sa.update(_I).where(_I.c.id == sa.bindparam("wanted"))


def apply(engine: sa.Engine, command: Command | Refused) -> Decision | None:
    """Apply one command in one transaction; ``None`` for a duplicate."""
    tenant, organization, command_id = log_identity(command)
    with engine.begin() as connection:
        identity = {"tenant": tenant, "organization": organization, "command": command_id}
        if connection.execute(_KNOWN, identity).first() is not None:
            return None
        work = UnitOfWork()
        if isinstance(command, Command):
            _load(connection, work, command)
        decision = decide(work, command)
        work.apply(decision)
        _store(connection, work, decision)
    return decision


def _load(connection: sa.Connection, work: UnitOfWork, command: Command) -> None:
    entity_id = command.envelope.entity_id
    for row in connection.execute(_LOCKED, {"entity": entity_id}):
        work.entities.load(ENTITIES.of(row))
    identity = getattr(command.payload, "id", None) or created_id(command)
    for query in _ROWS:
        for row in connection.execute(query, {"entity": entity_id, "interaction": identity}):
            work.interactions.load(INTERACTIONS.of(row))


def _store(connection: sa.Connection, work: UnitOfWork, decision: Decision) -> None:
    entities = work.entities.changes()
    for entity in entities.inserted:
        connection.execute(sa.insert(_E), _named(ENTITIES.columns, ENTITIES.row(entity)))
    for entity in entities.updated:
        values = _named(ENTITIES.columns, ENTITIES.row(entity))
        connection.execute(_ENTITY_CHANGE, {**values, "wanted": entity.id})
    interactions = work.interactions.changes()
    for identity in interactions.deleted:
        connection.execute(sa.delete(_I).where(_I.c.id == identity))
    for interaction in interactions.inserted:
        connection.execute(sa.insert(_I), _named(INTERACTIONS.columns, INTERACTIONS.row(interaction)))
    for interaction in interactions.updated:
        values = _named(INTERACTIONS.columns, INTERACTIONS.row(interaction))
        connection.execute(_UPDATE_INTERACTION, {**values, "wanted": interaction.id})
    entry = _named(JOURNAL, journal_row(decision.entry))
    # SQLAlchemy serializes JSON columns itself.
    connection.execute(sa.insert(_J), {**entry, "facts": orjson.loads(entry["facts"])})


def _named(columns: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(columns, row, strict=True))


def make_app(settings: Settings, folder: str) -> faust.App:
    """Build the app as Faust's documentation shows."""
    app = faust.App(
        f"{settings.topic_prefix}stock-faust",
        broker=[f"kafka://{server}" for server in str(settings.kafka_bootstrap_servers).split(",")],
        store="memory://",
        datadir=folder,
        topic_disable_leader=True,
        topic_partitions=settings.topic_partitions,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        producer_acks=-1,
    )
    commands = app.topic(settings.topic(COMMANDS), key_serializer="raw", value_serializer="raw")
    results = app.topic(settings.topic(RESULTS), key_serializer="raw", value_serializer="raw")
    engine = make_engine(
        settings, json_serializer=lambda value: orjson.dumps(value, default=format_instant).decode()
    )

    @app.agent(commands)
    async def applier(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            record = IncomingRecord(
                message.topic,
                message.partition,
                message.offset,
                int(message.timestamp * 1000),
                message.key,
                message.value,
                (),
            )
            decision = apply(engine, decode_record(record, _no_avro))
            if decision is not None:
                await results.send(key=message.key, value=orjson.dumps(result_of(decision)))

    return app


def _no_avro(_: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError("the bench publishes JSON")


def main() -> None:
    """Run the worker until SIGTERM."""
    with tempfile.TemporaryDirectory(prefix="interactions-stock-faust-") as folder:
        app = make_app(load_settings(), folder)
        app.conf.web_enabled = False
        worker = faust.Worker(app, loglevel="WARN", redirect_stdouts=False, quiet=True)
        worker.spinner = None
        worker.execute_from_commandline()


if __name__ == "__main__":
    main()
