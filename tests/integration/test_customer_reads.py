"""Reads of customers, legacy lists and widgets: legacy rows and interactions together, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from api.queries.adapter_targets import find_target
from api.queries.customer_detail import views_of
from api.queries.customers import SORTS, CustomerQuery, customers
from api.queries.explain import candidates
from api.queries.interaction_types import dictionary
from api.queries.keyset import After
from api.queries.old_lists import OldListQuery, old_list
from api.queries.scope import Scope
from api.queries.widgets import customer_todos, next_interactions
from runtime.postgres import connect, connection_parameters
from runtime.settings import Settings
from sinks.flags import flags_of
from sinks.legacy_tables import lift_freeze
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id
from tests.integration.test_batch_transaction import Log
from tests.stack_fixtures import own_database

pytestmark = pytest.mark.integration

Ask = Callable[..., Any]
SCOPE = Scope(TENANT, ORGANIZATION)
FOREIGN = (Scope(new_id(), ORGANIZATION), Scope(TENANT, new_id()))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PEOPLE = [new_id() for _ in range(5)]
ANNA, BODO, CARL, DORA, FIRM = PEOPLE
MOVED, REMOVED, WAITING, LINK, TODO = (new_id() for _ in range(5))
CALL, NOTE, CHORE, OLD_STYLE = (new_id() for _ in range(4))


@pytest.fixture(scope="module")
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """One database with sample rows of every kind, for all tests here."""
    with own_database(embedded_stack, template_database) as settings:
        with connect(settings, application_name="test") as connection:
            with connection.transaction():
                _legacy_rows(connection)
            log = Log(connection)
            for message in _messages():
                log.append(message)
            assert set(log.apply(0, len(log.records))) == {"applied"}
        yield settings


def _legacy_rows(connection: psycopg.Connection[Any]) -> None:
    lift_freeze(connection)
    for number, identity in enumerate((MOVED, REMOVED, WAITING)):
        connection.execute(
            "INSERT INTO customer_activities VALUES (%s, %s, %s, %s, NULL, 'call', 'Old', 'text', %s, NULL,"
            " NULL, NULL, %s, %s)",
            (identity, ORGANIZATION, TENANT, ANNA, NOW if number else None, NOW, NOW),
        )
    connection.execute(
        "INSERT INTO customer_todo_links VALUES (%s, %s, %s, %s, %s, 'example:todo', %s)",
        (LINK, ORGANIZATION, TENANT, ANNA, TODO, NOW),
    )


def _messages() -> list[dict[str, Any]]:
    names = ("Anna", "Bodo", "Carl_100%", "Dora", "Firm")
    made = [
        event(
            "entity.upsert",
            identity,
            {"id": identity, "kind": "company" if identity == FIRM else "person", "displayName": name},
        )
        for identity, name in zip(PEOPLE, names, strict=True)
    ]

    def create(entity: str, identity: str, kind: str, **data: Any) -> dict[str, Any]:
        return event("interaction.create", entity, {"id": identity, "interactionType": kind, **data})

    def at(days: int) -> str:
        return (NOW + timedelta(days=days)).isoformat()

    return [
        *made,
        create(ANNA, MOVED, "call", source="migration:activity"),
        create(ANNA, REMOVED, "call", source="migration:activity"),
        event("interaction.delete", ANNA, {"id": REMOVED}),
        create(ANNA, CALL, "call", scheduledAt=at(-1), priority=3),
        create(ANNA, NOTE, "note", occurredAt=at(-3)),
        create(BODO, CHORE, "task", scheduledAt=at(2), title="Chore"),
        create(BODO, OLD_STYLE, "task", source="adapter:activity", title="Logged"),
        create(CARL, new_id(), "email", scheduledAt=at(2)),
    ]


@pytest.fixture
def ask(world: Settings) -> Ask:
    """Run a query on an async connection, as the gateway does."""

    def run(read: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any, **options: Any) -> Any:
        async def work() -> Any:
            async with await psycopg.AsyncConnection.connect(**connection_parameters(world)) as connection:
                return await read(connection, *arguments, **options)

        return asyncio.run(work())

    return run


def ids(rows: list[dict[str, Any]]) -> set[str]:
    found = [row["id"] for row in rows]
    assert len(found) == len(set(found))
    return set(found)


def test_unmoved_legacy_rows_show_once_and_deleted_ones_stay_gone(ask: Ask) -> None:
    everything = OldListQuery(page_size=100)
    rows, total = ask(old_list, SCOPE, "activities", everything, legacy=True)
    carls = {row["id"] for row in rows if row["entity_id"] == CARL}
    assert ids(rows) == {MOVED, WAITING, CALL, NOTE, OLD_STYLE} | carls
    assert total == len(rows)
    rows, total = ask(old_list, SCOPE, "activities", everything, legacy=False)
    assert ids(rows) == {MOVED, CALL, NOTE, OLD_STYLE} | carls
    assert total == len(rows)


def test_todos_are_actionable_and_not_what_was_logged_as_an_activity(ask: Ask) -> None:
    rows, _ = ask(old_list, SCOPE, "todos", OldListQuery(page_size=100), legacy=True)
    carls = {row["id"] for row in rows if row["entity_id"] == CARL}
    assert len(carls) == 1
    assert ids(rows) == {LINK, CALL, CHORE} | carls
    link = next(row for row in rows if row["id"] == LINK)
    assert (link["todo_id"], link["todo_source"], link["title"]) == (
        TODO,
        "example:todo",
        "Task from example:todo",
    )


def test_pages_and_search_of_the_old_lists(ask: Ask) -> None:
    seen: list[str] = []
    for page in (1, 2, 3, 4):
        query = OldListQuery(page=page, page_size=2, sort_field="createdAt", sort_dir="asc")
        rows, total = ask(old_list, SCOPE, "activities", query, legacy=True)
        assert total == 6
        seen += [row["id"] for row in rows]
    assert len(seen) == len(set(seen)) == 6
    query = OldListQuery(search="_100%")
    rows, total = ask(old_list, SCOPE, "todos", query, legacy=True)
    assert [row["display_name"] for row in rows] == ["Carl_100%"]
    assert total == 1


def test_a_target_is_found_by_each_of_its_ids(ask: Ask) -> None:
    def found(named: str, view: Any, *, legacy: bool = True, scope: Scope = SCOPE) -> Any:
        target = ask(find_target, scope, named, view, legacy=legacy)
        return target and (target.row["id"], target.moved)

    assert found(CALL, "activities") == (CALL, True)
    assert found(WAITING, "activities") == (WAITING, False)
    assert found(WAITING, "activities", legacy=False) is None
    assert found(LINK, "todos") == found(TODO, "todos") == (LINK, False)
    assert found(REMOVED, "activities") is None
    assert found(NOTE, "todos") is None
    for foreign in FOREIGN:
        assert found(CALL, "activities", scope=foreign) is None


def test_the_detail_views(ask: Ask) -> None:
    views = ask(views_of, SCOPE, ANNA, ("interactions", "activities", "todos"), legacy=True)
    assert ids(views["interactions"]) == {MOVED, WAITING, CALL, NOTE, LINK}
    assert ids(views["activities"]) == {MOVED, WAITING, CALL, NOTE}
    assert ids(views["todos"]) == {CALL, LINK}
    assert {row["total"] for row in views["interactions"]} == {5}


def test_the_widgets(ask: Ask) -> None:
    rows = ask(next_interactions, SCOPE, now=NOW, limit=5, include_past=True)
    # Overdue first, not hidden.
    assert rows[0]["id"] == ANNA
    assert {row["id"] for row in rows[1:]} == {BODO, CARL}
    rows = ask(next_interactions, SCOPE, now=NOW, limit=5, include_past=False)
    assert {row["id"] for row in rows} == {BODO, CARL}
    todos = ask(customer_todos, SCOPE, limit=20, legacy=True)
    assert {LINK, CHORE, CALL} <= ids(todos)
    # Overdue first, unscheduled last.
    assert (todos[0]["id"], todos[-1]["id"]) == (CALL, LINK)
    assert ids(ask(customer_todos, SCOPE, limit=20, legacy=False)) == ids(todos) - {LINK}


def test_candidates_come_in_derivation_order(ask: Ask) -> None:
    rows, others = ask(candidates, SCOPE, ANNA, 10)
    assert [row["id"] for row in rows] == [CALL]
    assert (others["unscheduled"], others["done"], others["canceled"]) == (1, 1, 0)


@pytest.mark.parametrize("sort_field", SORTS)
@pytest.mark.parametrize("sort_dir", ["asc", "desc"])
def test_customers_are_paged_in_every_order(ask: Ask, sort_field: str, sort_dir: Any) -> None:
    def page(after: Any, limit: int) -> list[dict[str, Any]]:
        query = CustomerQuery(
            kind="person", limit=limit, sort_field=sort_field, sort_dir=sort_dir, now=NOW, after=after
        )
        rows: list[dict[str, Any]] = ask(customers, SCOPE, query)
        return rows[:limit]

    whole = page(None, 50)
    assert {row["id"] for row in whole} == set(PEOPLE) - {FIRM}
    values = [row["sort_key"] for row in whole if row["sort_key"] is not None]
    assert values == sorted(values, reverse=sort_dir == "desc")
    assert [row["sort_key"] for row in whole[len(values) :]] == [None] * (len(whole) - len(values))
    paged: list[dict[str, Any]] = []
    while step := page(After(paged[-1]["sort_key"], paged[-1]["id"]) if paged else None, 1):
        paged += step
    assert paged == whole


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"overdue": True}, {ANNA}),
        ({"overdue": False}, {BODO, CARL}),
        ({"has_next": False}, {DORA}),
        ({"next_from": NOW, "next_to": NOW + timedelta(days=3)}, {BODO, CARL}),
        ({"search": "_100%"}, {CARL}),
        ({"search": "%"}, {CARL}),
        ({"owner_user_id": TENANT}, set()),
    ],
)
def test_customers_are_filtered(ask: Ask, filters: dict[str, Any], expected: set[str]) -> None:
    query = CustomerQuery(
        kind="person", limit=50, sort_field="nextInteractionAt", sort_dir="asc", now=NOW, **filters
    )
    assert ids(ask(customers, SCOPE, query)) == expected
    for foreign in FOREIGN:
        assert ask(customers, foreign, query) == []


def test_another_scope_sees_nothing(ask: Ask) -> None:
    for foreign in FOREIGN:
        for view in ("activities", "todos"):
            assert ask(old_list, foreign, view, OldListQuery(), legacy=True) == ([], 0)
        assert ask(customer_todos, foreign, limit=5, legacy=True) == []
        assert ask(next_interactions, foreign, now=NOW, limit=5, include_past=True) == []
        views = ask(views_of, foreign, ANNA, ("interactions",), legacy=True)
        assert views == {"interactions": []}
        entries, strict = ask(dictionary, foreign)
        assert len(entries) == 8
        assert not strict


def test_the_default_of_unified_follows_the_legacy_rows(world: Settings) -> None:
    with connect(world, application_name="test") as connection:
        flag = "customers.interactions.unified"
        assert not flags_of(connection, TENANT)[flag].enabled
        assert flags_of(connection, new_id())[flag].enabled
