"""The legacy tables are frozen: every write is refused unless a tool lifts the freeze."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from sinks.legacy_tables import LEGACY_TABLES, lift_freeze
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id
from tests.integration.test_batch_transaction import Log

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[tuple[Any, ...]]
_ROW = {
    "customer_activities": "(id, organization_id, tenant_id, entity_id, activity_type, created_at,"
    " updated_at) VALUES (gen_random_uuid(), %s, %s, gen_random_uuid(), 'call', now(), now())",
    "customer_todo_links": "(id, organization_id, tenant_id, entity_id, todo_id, created_at)"
    " VALUES (gen_random_uuid(), %s, %s, gen_random_uuid(), gen_random_uuid(), now())",
    "legacy_todos": "(organization_id, tenant_id, todo_source, id) VALUES (%s, %s, 'example:todo',"
    " gen_random_uuid())",
    "legacy_interactions": "(id, organization_id, tenant_id, entity_id, interaction_type, status, created_at,"
    " updated_at) VALUES (gen_random_uuid(), %s, %s, gen_random_uuid(), 'call', 'open', now(), now())",
    "legacy_external_links": "(organization_id, tenant_id, integration_id, legacy_id, external_id)"
    " VALUES (%s, %s, 'trello', gen_random_uuid(), 'card')",
}


@pytest.fixture
def connection(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test") as opened:
        yield opened


def _insert(connection: Connection, table: str) -> None:
    connection.execute(f"INSERT INTO {table} {_ROW[table]}", (ORGANIZATION, TENANT))


@pytest.mark.parametrize("table", LEGACY_TABLES)
def test_every_kind_of_write_is_refused_also_to_the_owner(connection: Connection, table: str) -> None:
    with connection.transaction():
        lift_freeze(connection)
        _insert(connection, table)
    with connection.transaction(), pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
        _insert(connection, table)
    for statement in (
        f"UPDATE {table} SET tenant_id = gen_random_uuid()",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
        f"INSERT INTO {table} SELECT * FROM {table}",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation, match=table), connection.transaction():
            connection.execute(statement)
    with (
        pytest.raises(psycopg.errors.RestrictViolation),
        connection.transaction(),
        connection.cursor().copy(f"COPY {table} FROM STDIN"),
    ):
        pass
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row == (1,)


def test_lifting_ends_with_its_transaction_and_no_setting_lifts_it(connection: Connection) -> None:
    with connection.transaction():
        lift_freeze(connection)
        value = connection.execute("SELECT current_setting('interactions.legacy_frozen')").fetchone()
        _insert(connection, "customer_activities")
    assert value is not None
    for setting in ("off", value[0]):
        # For the whole session, as a connection string or an accidental SET would.
        connection.execute("SELECT set_config('interactions.legacy_frozen', %s, false)", (setting,))
        connection.commit()
        with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
            _insert(connection, "customer_activities")


def test_flags_are_stored_with_the_batch(connection: Connection) -> None:
    log = Log(connection)
    other = new_id()
    flag = "customers.interactions.external-sync"
    log.append(event("feature_flag.set", TENANT, {"flag": flag, "enabled": True}))
    log.append({**event("feature_flag.set", other, {"flag": flag, "enabled": True}), "tenantid": other})
    log.append(event("feature_flag.set", TENANT, {"flag": flag, "enabled": True}))
    log.append(event("feature_flag.set", TENANT, {"flag": flag, "enabled": False}))
    assert log.apply(0, 3) == ["applied", "applied", "no_op"]
    assert log.apply(3, 4) == ["applied"]
    rows = connection.execute(
        "SELECT tenant_id::text, organization_id::text, flag, enabled FROM feature_flags"
    )
    assert sorted(rows) == sorted([(TENANT, ORGANIZATION, flag, False), (other, ORGANIZATION, flag, True)])
    logged = connection.execute(
        "SELECT outcome FROM journal WHERE command_type = 'customers.feature_flag.set'"
    ).fetchall()
    assert len(logged) == 4
