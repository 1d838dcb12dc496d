"""A database of the simulation's own, without topics."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from psycopg import sql

from runtime.settings import Settings
from tests.stack_fixtures import _administer, _on_database


@pytest.fixture(scope="module")
def simulated_world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    name = f"s{uuid.uuid4().hex[:12]}"
    database = sql.Identifier(name)
    template = sql.Identifier(template_database)
    _administer(embedded_stack, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(database, template))
    yield _on_database(embedded_stack, name)
    _administer(embedded_stack, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
