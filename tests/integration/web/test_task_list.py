"""The work list with many tasks: the order of its pages, and what a page reads however far it is scrolled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api.queries import task_list
from api.queries.scope import Row, Scope
from api.queries.task_list import Position, position_of, task_page
from runtime.postgres import connect, connect_async
from runtime.settings import Settings
from sinks.task_filter import Range, TaskFilters
from tests.harness.wire import new_id
from tests.stack_fixtures import own_world

pytestmark = pytest.mark.integration
_TASKS = 20_000
_SCOPE = Scope(new_id(), new_id())
# The summer time of Berlin ends on 26 October 2031, so that this day has 25 hours.
_BEGIN = datetime(2031, 10, 25, 3, 30, tzinfo=UTC)
_BERLIN = ZoneInfo("Europe/Berlin")
_FILTERS = TaskFilters(interaction_types=("call", "task"))
#: Tasks with a date of one day.
_PER_DAY = 24 * 60
_FILL = """
WITH customer AS (
  INSERT INTO customer_entities (id, tenant_id, organization_id, kind, display_name, entity_version,
    open_count, overdue_count, done_count, created_at, updated_at)
  SELECT md5(%(organization)s || 'e' || n)::uuid, %(tenant)s::uuid, %(organization)s::uuid, 'person',
    'Customer ' || n, 1, 0, 0, 0, now(), now() FROM generate_series(0, 99) n RETURNING id)
INSERT INTO customer_interactions (id, tenant_id, organization_id, entity_id, interaction_type, title,
  status, priority, scheduled_at, version, schedule_version, due_phase, status_as_of, scheduled_as_of,
  occurred_as_of, created_at, updated_at)
SELECT md5(%(organization)s || i)::uuid, %(tenant)s::uuid, %(organization)s::uuid,
  md5(%(organization)s || 'e' || i %% 100)::uuid, 'call', 'Call ' || i,
  CASE WHEN i %% 5 = 0 THEN 'done' ELSE 'planned' END,
  nullif(i %% 7, 0), CASE WHEN i %% 50 <> 1 THEN %(begin)s::timestamptz + i * interval '1 minute' END,
  1, 1, 0, now(), now(), now(), now(), now()
FROM generate_series(1, %(tasks)s) i
"""


@pytest.fixture(scope="module")
def stored(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    with own_world(embedded_stack, template_database) as settings:
        with connect(settings, application_name="tests", autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(_FILL, {**_SCOPE.parameters(), "begin": _BEGIN, "tasks": _TASKS})
            connection.execute("VACUUM ANALYZE")
        yield settings


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def all_pages(
    settings: Settings,
    range_: Range | None,
    zone: ZoneInfo,
    limit: int,
    filters: TaskFilters = _FILTERS,
) -> list[Row]:
    async def run() -> list[Row]:
        rows: list[Row] = []
        after: Position | None = None
        async with await connect_async(settings, application_name="tests") as connection:
            while True:
                page = await task_page(
                    connection, _SCOPE, filters, range_, zone=zone, limit=limit, after=after
                )
                rows += page[:limit]
                if len(page) <= limit:
                    return rows
                after = position_of(page[limit - 1])

    return asyncio.run(run())


@pytest.mark.parametrize("zone", ["Pacific/Pago_Pago", "Pacific/Kiritimati", "Europe/Berlin"])
@pytest.mark.parametrize("limit", [7, 500])
def test_pages_are_in_the_order_of_days_and_within_a_day_of_priority(
    stored: Settings, zone: str, limit: int
) -> None:
    here = ZoneInfo(zone)
    rows = all_pages(stored, (_BEGIN + timedelta(hours=5), _BEGIN + timedelta(days=2, hours=3)), here, limit)
    expected = sorted(
        rows,
        key=lambda row: (
            row["scheduled_at"].astimezone(here).date(),
            -row["priority"] if row["priority"] is not None else 1,
            row["scheduled_at"],
            row["id"],
        ),
    )
    assert [row["id"] for row in rows] == [row["id"] for row in expected]
    with connect(stored, application_name="tests") as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM customer_interactions WHERE status = 'planned' AND scheduled_at >= %s"
            " AND scheduled_at < %s",
            (_BEGIN + timedelta(hours=5), _BEGIN + timedelta(days=2, hours=3)),
        ).fetchone()  # type: ignore[misc]
    assert len(rows) == len({row["id"] for row in rows}) == count > 2000


def test_a_page_of_few_tasks_per_day_covers_as_many_days_as_it_needs(stored: Settings) -> None:
    with connect(stored, application_name="tests") as connection:
        (customer,) = connection.execute(
            "SELECT entity_id::text FROM customer_interactions WHERE status = 'planned'"
            " AND scheduled_at IS NOT NULL LIMIT 1"
        ).fetchone()  # type: ignore[misc]
    one = replace(_FILTERS, entity_id=customer)
    assert len(all_pages(stored, (None, None), _BERLIN, 60, one)) == 200


def test_tasks_without_a_date_are_in_the_order_of_priority(stored: Settings) -> None:
    rows = all_pages(stored, None, _BERLIN, 100)
    ranks = [row["priority"] if row["priority"] is not None else -1 for row in rows]
    assert ranks == sorted(ranks, reverse=True)
    assert len(rows) == len({row["id"] for row in rows}) == 400


@pytest.mark.parametrize(("day", "behind"), [((1, 1, 1), 31), ((9999, 12, 31), 0)])
def test_a_place_at_the_end_of_time_is_a_place(
    stored: Settings, day: tuple[int, int, int], behind: int
) -> None:
    after = Position(datetime(*day, 23, 59, tzinfo=UTC), 1, new_id())

    async def rows() -> list[Row]:
        async with await connect_async(stored, application_name="tests") as connection:
            return await task_page(
                connection, _SCOPE, _FILTERS, (None, None), zone=_BERLIN, limit=30, after=after
            )

    assert len(asyncio.run(rows())) == behind


@pytest.mark.parametrize("scrolled", [None, 10, _TASKS // 2, _TASKS - 100])
def test_a_page_reads_no_more_than_its_days(
    stored: Settings, scrolled: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[dict[str, Any]] = []

    async def explain(connection: Any, statement: str, parameters: dict[str, Any]) -> list[Any]:
        cursor = await connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(), parameters)
        (plan,) = await cursor.fetchone()
        found.append(plan[0]["Plan"])
        return []

    monkeypatch.setattr(task_list, "fetch", explain)
    moment = _BEGIN + timedelta(minutes=scrolled or 0)
    after = Position(moment, 0, new_id()) if scrolled is not None else None

    async def run() -> None:
        async with await connect_async(stored, application_name="tests") as connection:
            await task_page(connection, _SCOPE, _FILTERS, (_BEGIN, None), zone=_BERLIN, limit=30, after=after)

    asyncio.run(run())
    scans = [it for it in nodes(found[0]) if it.get("Relation Name") == "customer_interactions"]
    read = {it["Index Name"]: it["Actual Rows"] * it["Actual Loops"] for it in scans}
    assert set(read) == {"ix_customer_interactions_schedule", "pk_customer_interactions"}, json.dumps(found)
    assert read["pk_customer_interactions"] <= 31
    by_date = [it for it in scans if it["Index Name"] == "ix_customer_interactions_schedule"]
    assert sum(it["Actual Rows"] for it in by_date) <= 2 * _PER_DAY
    assert sum(it.get("Rows Removed by Filter", 0) for it in by_date) <= _PER_DAY
