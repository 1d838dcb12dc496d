"""Upgrade of a database that has tables already: those of the old model are adopted, others are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg
import pytest
from alembic import command

from runtime.postgres import connect, make_engine
from runtime.settings import Settings
from schemas.errors import Stop
from sinks import migrate
from sinks.backfill import legacy_page
from sinks.columns import LEAST_ID
from tests.harness.legacy import plant
from tests.harness.wire import ORGANIZATION, TENANT, new_id
from tests.stack_fixtures import own_database

pytestmark = pytest.mark.integration

_EMPTY: Final = "template0"
_FIRST_WITH_LEGACY: Final = "7e490e85e902"
#: As Open Mercato defines them, and what an installation may have added.
_ACTIVITIES: Final = """
CREATE TABLE customer_activities (id uuid NOT NULL DEFAULT gen_random_uuid(), organization_id uuid NOT NULL,
  tenant_id uuid NOT NULL, activity_type text NOT NULL, subject text NULL, body text NULL,
  occurred_at timestamptz NULL, author_user_id uuid NULL, appearance_icon text NULL,
  appearance_color text NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  entity_id uuid NOT NULL, deal_id uuid NULL, CONSTRAINT customer_activities_pkey PRIMARY KEY (id));
CREATE INDEX customer_activities_entity_idx ON customer_activities (entity_id);
CREATE INDEX customer_activities_org_tenant_idx ON customer_activities (organization_id, tenant_id);
"""
_TODO_LINKS: Final = """
CREATE TABLE customer_todo_links (id uuid NOT NULL DEFAULT gen_random_uuid(), organization_id uuid NOT NULL,
  tenant_id uuid NOT NULL, todo_id uuid NOT NULL, todo_source text NOT NULL DEFAULT 'example:todo',
  created_at timestamptz NOT NULL, created_by_user_id uuid NULL, entity_id uuid NOT NULL,
  CONSTRAINT customer_todo_links_pkey PRIMARY KEY (id));
CREATE INDEX customer_todo_links_entity_idx ON customer_todo_links (entity_id);
ALTER TABLE customer_todo_links ADD CONSTRAINT customer_todo_links_unique
  UNIQUE (entity_id, todo_id, todo_source);
"""
_EXTRAS: Final = """
CREATE TABLE offices (id integer PRIMARY KEY);
INSERT INTO offices VALUES (7);
ALTER TABLE customer_activities ADD "score: new" integer NOT NULL DEFAULT 3,
  ADD mood text NOT NULL CHECK (mood <> ''), ADD office_id integer REFERENCES offices ON DELETE CASCADE,
  ADD "100 %" integer NOT NULL DEFAULT 1;
CREATE UNIQUE INDEX customer_activities_mood ON customer_activities (mood);
COMMENT ON TABLE customer_activities IS 'calls';
COMMENT ON COLUMN customer_activities.subject IS 'shown in bold';
"""
#: As a tool that knows no UUIDs may have made them.
_TEXT_IDS: Final = """
CREATE TABLE customer_todo_links (created_at timestamp NOT NULL, entity_id varchar(36) NOT NULL, todo_id text,
  id character varying NOT NULL, tenant_id text NOT NULL, organization_id char(36) NOT NULL,
  todo_source varchar(120) DEFAULT 'none');
"""
_LINK_VALUES: Final = (
    "(id, organization_id, tenant_id, entity_id, todo_id, created_at) VALUES (%s, %s, %s, %s, %s, %s)"
)


@pytest.fixture
def empty(embedded_stack: Settings) -> Iterator[Settings]:
    with own_database(embedded_stack, _EMPTY) as settings:
        yield settings


def _run(settings: Settings, *statements: str) -> None:
    with connect(settings, application_name="test", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _all(settings: Settings, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    with connect(settings, application_name="test", autocommit=True) as connection:
        return connection.execute(statement, values).fetchall()


def _activity(settings: Settings, **columns: Any) -> str:
    """Insert a row as the old system does."""
    identity = new_id()
    row = {
        "id": identity,
        "organization_id": ORGANIZATION,
        "tenant_id": TENANT,
        "entity_id": new_id(),
        "activity_type": "call",
        "subject": "Offer",
        "created_at": "2024-02-01 10:00:00+02",
        "updated_at": "2024-02-01 10:00:00+02",
        **columns,
    }
    names = ", ".join(f'"{name}"' for name in row)
    places = ", ".join(["%s"] * len(row))
    _all(
        settings,
        f"INSERT INTO customer_activities ({names}) VALUES ({places}) RETURNING id",
        (*row.values(),),
    )
    return identity


def _schema(settings: Settings) -> list[tuple[Any, ...]]:
    """Everything that a change would show in."""
    return _all(
        settings,
        "SELECT c.relname, c.relkind, a.attname, a.attnotnull, format_type(a.atttypid, a.atttypmod)"
        " FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 3",
    )


def _columns(settings: Settings, table: str) -> list[tuple[Any, ...]]:
    return _all(
        settings,
        "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_name = %s ORDER BY 1",
        (table,),
    )


def _rest(settings: Settings) -> list[tuple[Any, ...]]:
    """Constraints, indexes and triggers of both tables."""
    tables = "('customer_activities'::regclass, 'customer_todo_links'::regclass)"
    return _all(
        settings,
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        f" WHERE conrelid IN {tables} AND contype <> 'n'"
        " UNION ALL SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        f" WHERE indrelid IN {tables}"
        " UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger"
        f" WHERE tgrelid IN {tables} AND NOT tgisinternal ORDER BY 1, 2",
    )


def test_tables_without_rows_become_those_of_a_new_database(
    empty: Settings, fresh_database: Settings
) -> None:
    _run(empty, _ACTIVITIES, _TODO_LINKS)
    migrate.upgrade(empty)
    assert migrate.check(empty) == []
    for table in ("customer_activities", "customer_todo_links"):
        assert _columns(empty, table) == _columns(fresh_database, table)
    assert _rest(empty) == _rest(fresh_database)
    migrate.upgrade(empty)


def test_rows_and_extra_columns_stay_and_the_rows_can_be_moved(empty: Settings) -> None:
    _run(empty, _ACTIVITIES, _TODO_LINKS, _EXTRAS)
    ids = [
        _activity(empty, mood="good", office_id=7, **{"score: new": 5}),
        _activity(empty, mood="bad", deal_id=new_id(), occurred_at="infinity"),
    ]
    _run(empty, 'ALTER TABLE customer_activities ALTER "100 %" DROP DEFAULT')
    before = _all(empty, "SELECT to_jsonb(a) FROM customer_activities a ORDER BY id")
    migrate.upgrade(empty)
    _run(empty, "DELETE FROM offices", "DROP TABLE offices")
    assert migrate.check(empty) == []
    assert _all(empty, "SELECT to_jsonb(a) FROM customer_activities a ORDER BY id") == before
    with connect(empty, application_name="test") as connection:
        page = legacy_page(connection, "activity", TENANT, after=LEAST_ID, limit=10)
        assert [row["id"] for row in page] == sorted(ids)
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("DELETE FROM customer_activities")
    # No rule of the old system refuses what is imported later.
    plant(empty, "customer_activities", entity_id=new_id())
    plant(empty, "customer_activities", entity_id=new_id())
    entity, todo = new_id(), new_id()
    plant(empty, "customer_todo_links", entity_id=entity, todo_id=todo)
    plant(empty, "customer_todo_links", entity_id=entity, todo_id=todo)


def test_only_extra_columns_of_adopted_tables_are_no_difference(empty: Settings) -> None:
    _run(empty, _ACTIVITIES, "ALTER TABLE customer_activities ADD mood text")
    migrate.upgrade(empty)
    assert migrate.check(empty) == []
    differences = {
        "remove_column": "ALTER TABLE customer_entities ADD mood text",
        "remove_index": "CREATE INDEX ix_mood ON customer_activities (mood)",
        "modify_nullable": "ALTER TABLE customer_activities ALTER body SET NOT NULL",
    }
    _run(empty, *differences.values())
    found = migrate.check(empty)
    assert len(found) == len(differences)
    for difference in differences:
        assert sum(difference in one for one in found) == 1, found


def test_text_ids_local_times_and_missing_columns_are_converted(
    empty: Settings, fresh_database: Settings
) -> None:
    _run(empty, _TEXT_IDS)
    ids = [new_id() for _ in range(3)]
    link = (ids[0].upper(), ORGANIZATION, TENANT, ids[1], ids[2], "2024-02-01 10:00:00")
    _all(empty, f"INSERT INTO customer_todo_links {_LINK_VALUES} RETURNING id", link)
    migrate.upgrade(empty)
    assert migrate.check(empty) == []
    assert _columns(empty, "customer_todo_links") == _columns(fresh_database, "customer_todo_links")
    assert _rest(empty) == _rest(fresh_database)
    row = _all(
        empty,
        "SELECT id::text, organization_id::text, entity_id::text, todo_id::text, todo_source,"
        " created_by_user_id, created_at = '2024-02-01T10:00:00Z' FROM customer_todo_links",
    )
    assert row == [(ids[0], ORGANIZATION, ids[1], ids[2], "none", None, True)]


@pytest.mark.parametrize(
    ("statements", "reasons"),
    [
        (
            [
                "ALTER TABLE customer_activities DROP updated_at",
                "ALTER TABLE customer_activities ALTER subject TYPE jsonb USING to_jsonb(subject)",
            ],
            ["updated_at is missing", "subject has the type jsonb, not text"],
        ),
        (
            [
                "ALTER TABLE customer_activities ALTER created_at DROP NOT NULL, ALTER deal_id TYPE text",
                "UPDATE customer_activities SET created_at = NULL, deal_id = 'secret'",
            ],
            ["deal_id has 1 values that are not UUIDs", "created_at is null in 1 rows"],
        ),
        (
            [
                "ALTER TABLE customer_activities DROP CONSTRAINT customer_activities_pkey",
                "INSERT INTO customer_activities SELECT * FROM customer_activities",
            ],
            ["1 rows repeat the id of another row"],
        ),
        (
            [
                "CREATE VIEW shown AS SELECT activity_type FROM customer_activities",
                "ALTER TABLE customer_activities RENAME TO hidden",
                "ALTER VIEW shown RENAME TO customer_activities",
            ],
            ["not an ordinary table"],
        ),
        (
            [
                "ALTER TABLE customer_activities ALTER subject TYPE varchar(50)",
                "CREATE VIEW shown AS SELECT subject FROM customer_activities",
            ],
            ["the database refused a change of it (FeatureNotSupported)"],
        ),
    ],
    ids=["columns", "values", "ids", "view", "dependency"],
)
def test_a_table_that_cannot_be_adopted_is_named_with_the_reasons_and_stays(
    empty: Settings, statements: list[str], reasons: list[str]
) -> None:
    _run(empty, _ACTIVITIES, _TODO_LINKS)
    _activity(empty)
    _run(empty, *statements)
    before = _schema(empty)
    with pytest.raises(Stop, match=r"customer_activities cannot be adopted.*Nothing was changed") as refused:
        migrate.upgrade(empty)
    for reason in reasons:
        assert reason in str(refused.value)
    assert "secret" not in str(refused.value)
    assert _schema(empty) == before


@pytest.mark.parametrize("name", ["customer_entities", "customer_interactions", "customer_deals", "outbox"])
def test_tables_of_another_program_are_refused_and_stay(empty: Settings, name: str) -> None:
    _run(empty, _ACTIVITIES, f"CREATE TABLE {name} (id uuid PRIMARY KEY, display_name text)")
    _activity(empty)
    before = _schema(empty)
    with pytest.raises(Stop, match=f"{name}.*Nothing was changed.*legacy import --from postgres:URL"):
        migrate.upgrade(empty)
    assert _schema(empty) == before
    _run(empty, f"DROP TABLE {name}", f"CREATE VIEW {name} AS SELECT 1 AS id")
    with pytest.raises(Stop, match=name):
        migrate.upgrade(empty)
    _run(empty, f"DROP VIEW {name}")
    migrate.upgrade(empty)
    assert migrate.check(empty) == []


def test_a_downgrade_keeps_the_rows_and_a_further_upgrade_adopts_them(empty: Settings) -> None:
    _run(empty, _ACTIVITIES)
    identity = _activity(empty)
    engine = make_engine(empty)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), _FIRST_WITH_LEGACY)
        command.downgrade(migrate._config(connection), "-1")
    engine.dispose()
    migrate.upgrade(empty)
    assert migrate.check(empty) == []
    assert _all(empty, "SELECT id::text FROM customer_activities") == [(identity,)]
