"""The import of an Open Mercato database, and the move of what it brought."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from sinks.legacy_tables import LEGACY_TABLES
from tests.harness.forked import run
from tests.harness.legacy import rows_of, run_job
from tests.harness.roles import environment, running
from tests.harness.wire import TENANT
from tests.integration.test_legacy_import import contents, imported
from tests.stack_fixtures import own_database, own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

_DATA: Final = Path(__file__).parents[1] / "data"


def known(kind: str, number: int) -> str:
    """An id of the data, as its function ``k`` makes it."""
    return f"{kind * 8}-0000-4000-8000-{number:012}"


def execute(settings: Settings, statements: str) -> None:
    with connect(settings, application_name="test") as connection:
        connection.execute(statements.encode())


def load(settings: Settings, name: str) -> None:
    execute(settings, (_DATA / name).read_text())


def url_of(settings: Settings) -> str:
    assert settings.database_url is not None
    return f"postgres:{settings.database_url.get_secret_value()}"


@pytest.fixture(scope="module")
def mercato(embedded_stack: Settings) -> Iterator[Settings]:
    """A database with the data of ``open_mercato.sql``."""
    with own_database(embedded_stack, "template0") as settings:
        load(settings, "open_mercato.sql")
        yield settings


@pytest.fixture(scope="module")
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        running(settings, "relay"),
        running(settings, "jobs"),
    ):
        yield settings


def titles(settings: Settings) -> dict[str, tuple[str, str]]:
    rows = rows_of(settings, "SELECT id::text, title, status FROM customer_interactions")
    return {identity: (title, status) for identity, title, status in rows}


def test_every_row_of_open_mercato_has_a_fate(mercato: Settings, world: Settings) -> None:
    report, done = imported(world, url_of(mercato))
    tables: dict[str, Any] = report["tables"]
    assert "Person" not in done.stdout + done.stderr

    assert (tables["customer_entities"]["written"], tables["customer_entities"]["skipped"]) == (
        12,
        {"deleted": 1},
    )
    assert tables["customer_dictionary_entries"]["written"] == 3
    assert tables["customer_dictionary_entries"]["repaired"] == {"color_dropped": 1, "value_normalised": 2}
    assert tables["customer_deals"]["skipped"] == {"deleted": 1, "no_customer": 1}
    assert tables["customer_activities"]["skipped"] == {"customer_deleted": 1, "interaction_deleted": 1}
    assert tables["customer_activities"]["repaired"] == {"occurred_at_unreadable": 1}
    assert tables["customer_activities"]["dropped"] == {"cf:shared_with_leadership": 1}
    assert tables["customer_todo_links"]["skipped"] == {"todo_deleted": 1}
    assert tables["todos"]["skipped"] == {"deleted": 1, "not_linked": 1}
    assert tables["todos"]["dropped"] == {"cf:blocked": 1, "cf:labels": 1}
    interactions = tables["customer_interactions"]
    assert interactions["skipped"] == {"customer_deleted": 1, "deleted": 2, "private": 1}
    assert interactions["statuses"] == {
        "cancelled": 1, "completed": 1, "done": 2, "in_review": 1, "planned": 2,
    }  # fmt: skip
    assert interactions["repaired"] == {"recurring_as_one": 1}
    assert interactions["dropped"] == {
        "all_day": 1, "cf:engagement_sentiment": 1, "duration_minutes": 1, "guest_permissions": 1,
        "linked_entities": 1, "location": 1, "participants": 1, "pinned": 1, "recurrence_end": 1,
        "recurrence_rule": 1, "reminder_minutes": 1, "visibility": 2,
    }  # fmt: skip
    assert tables["sync_external_id_mappings"]["skipped"] == {
        "deleted": 1, "not_imported_row": 1, "other_kind": 1,
    }  # fmt: skip

    todo = rows_of(
        world,
        "SELECT priority, severity, description, due_at::text FROM legacy_todos WHERE id = %s",
        known("f", 1),
    )
    assert todo == [("4", "high", "Long text", "2024-04-01 09:00:00+00")]
    assert rows_of(world, "SELECT tenant_id::text FROM legacy_todos WHERE id = %s", known("f", 5)) == [
        (TENANT,)
    ]
    dropped = rows_of(world, "SELECT dropped FROM legacy_interactions WHERE id = %s", known("e", 3))
    assert sorted(dropped[0][0]) == ["recurrence_end", "recurrence_rule"]

    before = contents(world)
    repeated, _ = imported(world, url_of(mercato))
    assert contents(world) == before
    assert not any(table["written"] for table in repeated["tables"].values())

    job = run_job(world, "backfill", what="all", dryRun=False, integrations={})
    assert job.state == "completed", job
    moved = titles(world)
    assert moved[known("a", 1)] == ("Activity 1, changed", "done")
    assert known("a", 2) not in moved
    assert moved[known("f", 3)] == ("Todo 3", "done")
    assert known("b", 4) not in moved
    assert {moved[known("b", number)][0] for number in (1, 2)} == {"Todo 1"}
    assert moved[known("b", 8)][0] == "Task from planner:task"
    assert known("b", 7) not in moved
    assert moved[known("e", 6)] == ("Interaction 6", "planned")
    assert moved[known("e", 7)] == ("Interaction 7", "canceled")
    assert known("e", 5) not in moved
    assert not rows_of(world, "SELECT 1 FROM customer_entities WHERE display_name LIKE 'Unknown%%'")
    assert rows_of(world, "SELECT count(*) FROM customer_interactions") == [(len(moved),)]
    # Activities 1, 3-7, links 1-3, 6 and 8, the todo 3, and interactions 1-3, 6 and 7.
    assert len(moved) == 17


def test_private_rows_come_only_when_asked_for(mercato: Settings, fresh_database: Settings) -> None:
    report, _ = imported(fresh_database, url_of(mercato), "--dry-run", "--include-private")
    interactions = report["tables"]["customer_interactions"]
    assert interactions["skipped"] == {"customer_deleted": 1, "deleted": 2}
    assert interactions["dropped"]["visibility"] == 3


def test_encrypted_values_stop_the_import(embedded_stack: Settings, fresh_database: Settings) -> None:
    with own_database(embedded_stack, "template0") as mercato:
        load(mercato, "open_mercato.sql")
        load(mercato, "open_mercato_encrypted.sql")
        done = run(["legacy", "import", "--from", url_of(mercato)], environment(fresh_database))
    assert done.returncode == 2
    assert f"customer_activities.subject (row {known('a', 3)}" in done.stderr
    assert "customers:customer_activity" in done.stderr
    assert "decrypt-database" in done.stderr
    assert contents(fresh_database) == {table: [] for table in LEGACY_TABLES}


def test_missing_tables_are_reported_and_missing_columns_named(
    embedded_stack: Settings, fresh_database: Settings
) -> None:
    with own_database(embedded_stack, "template0") as mercato:
        load(mercato, "open_mercato.sql")
        execute(mercato, "DROP TABLE todos, custom_field_values, encryption_maps")
        report, _ = imported(fresh_database, url_of(mercato), "--dry-run")
        assert not report["tables"]["todos"]["there"]
        assert report["tables"]["customer_todo_links"]["written"] == 8
        execute(mercato, "ALTER TABLE customer_todo_links DROP COLUMN todo_id")
        done = run(["legacy", "import", "--from", url_of(mercato)], environment(fresh_database))
    assert done.returncode == 2
    assert "customer_todo_links has no column todo_id" in done.stderr
    assert contents(fresh_database) == {table: [] for table in LEGACY_TABLES}


def test_a_database_of_this_product_is_refused(fresh_database: Settings) -> None:
    done = run(["legacy", "import", "--from", url_of(fresh_database)], environment(fresh_database))
    assert done.returncode == 2
    assert "is a database of this product" in done.stderr


def test_a_malformed_url_is_not_repeated(fresh_database: Settings) -> None:
    arguments = ["legacy", "import", "--from", "postgres:postgresql://user:hunter2@[bad/x"]
    done = run(arguments, environment(fresh_database))
    assert done.returncode == 2
    assert "hunter2" not in done.stderr
