"""Database fixtures of the simulation; it needs no topics."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from psycopg import sql

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from tests.simulation.core import Core
from tests.stack_fixtures import _administer, _on_database


@pytest.fixture(scope="module")
def simulated_world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    name = f"s{uuid.uuid4().hex[:12]}"
    database = sql.Identifier(name)
    template = sql.Identifier(template_database)
    _administer(embedded_stack, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(database, template))
    yield _on_database(embedded_stack, name)
    _administer(embedded_stack, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest.fixture(scope="module")
def servers(simulated_world: Settings) -> Iterator[tuple[Connection, Core]]:
    """Connection for the connectors, and the core. The database server does not crash here."""
    with (
        connect(simulated_world, application_name="simulation", autocommit=True) as connection,
        connect(simulated_world, application_name="simulation-core") as applying,
    ):
        for each in (connection, applying):
            # There are thousands of small commits.
            each.execute("SET synchronous_commit = off")
        applying.commit()
        yield connection, Core(applying)
