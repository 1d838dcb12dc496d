"""Plans of the work list with many tasks: every page follows the index, however far it is scrolled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.queries import task_list
from api.queries.keyset import After
from api.queries.scope import Scope
from runtime.postgres import connect, connect_async
from runtime.settings import Settings
from sinks.task_filter import TaskFilters
from tests.harness.wire import new_id
from tests.stack_fixtures import own_world

pytestmark = pytest.mark.integration
_TASKS = 20_000
_SCOPE = Scope(new_id(), new_id())
_BEGIN = datetime(2031, 1, 1, tzinfo=UTC)
_FILL = """
WITH customer AS (
  INSERT INTO customer_entities (id, tenant_id, organization_id, kind, display_name, entity_version,
    open_count, overdue_count, done_count, created_at, updated_at)
  SELECT md5(%(organization)s || 'e' || n)::uuid, %(tenant)s::uuid, %(organization)s::uuid, 'person',
    'Customer ' || n, 1, 0, 0, 0, now(), now() FROM generate_series(0, 99) n RETURNING id)
INSERT INTO customer_interactions (id, tenant_id, organization_id, entity_id, interaction_type, title,
  status, scheduled_at, version, schedule_version, due_phase, status_as_of, scheduled_as_of,
  occurred_as_of, created_at, updated_at)
SELECT md5(%(organization)s || i)::uuid, %(tenant)s::uuid, %(organization)s::uuid,
  md5(%(organization)s || 'e' || i %% 100)::uuid, 'call', 'Call ' || i,
  CASE WHEN i %% 5 = 0 THEN 'done' ELSE 'planned' END,
  CASE WHEN i %% 50 <> 1 THEN %(begin)s::timestamptz + i * interval '1 minute' END,
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


@pytest.mark.parametrize("scrolled", [None, 10, _TASKS // 2, _TASKS - 100])
def test_a_page_reads_about_as_many_rows_as_it_shows(
    stored: Settings, scrolled: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[dict[str, Any]] = []

    async def explain(connection: Any, statement: str, parameters: dict[str, Any]) -> list[Any]:
        cursor = await connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(), parameters)
        (plan,) = await cursor.fetchone()
        found.append(plan[0]["Plan"])
        return []

    monkeypatch.setattr(task_list, "fetch", explain)
    after = After(_BEGIN + timedelta(minutes=scrolled), new_id()) if scrolled is not None else None

    async def run() -> None:
        connection = await connect_async(stored, application_name="tests")
        async with connection:
            await task_list.task_page(
                connection,
                _SCOPE,
                TaskFilters(interaction_types=("call", "task")),
                (_BEGIN, None),
                limit=30,
                after=after,
            )

    asyncio.run(run())
    scans = [it for it in nodes(found[0]) if it.get("Relation Name") == "customer_interactions"]
    assert [it.get("Index Name") for it in scans] == ["ix_customer_interactions_schedule"], json.dumps(found)
    assert "Sort" not in {it["Node Type"] for it in nodes(found[0])}
    assert scans[0]["Actual Rows"] <= 40
    assert scans[0].get("Rows Removed by Filter", 0) == 0
