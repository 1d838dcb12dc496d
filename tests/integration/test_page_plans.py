"""Statements of every page read few rows, by an index, however large the organization is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import api.queries.task_list
from api.queries.interaction_history import HISTORY_SQL, NEWEST, UNDO_FACTS_SQL
from api.queries.mirror_badges import MIRRORS_SQL
from api.queries.people import PEOPLE_SQL
from api.queries.scope import Scope
from api.queries.task_list import task_counts
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from sinks.task_filter import TaskFilters
from tests.harness.wire import ORGANIZATION, TENANT, new_id

pytestmark = pytest.mark.integration

_OWNER = "33333333-3333-4333-8333-333333333333"
_INTERACTION = "55555555-5555-4555-8555-555555555555"
# Everyone else's rows: half planned, half done, all of them overdue or done today.
_FILL = f"""
INSERT INTO customer_entities (id, tenant_id, organization_id, kind, display_name, entity_version, open_count,
  overdue_count, done_count, created_at, updated_at)
VALUES ('{_OWNER}', '{TENANT}', '{ORGANIZATION}', 'person', 'x', 1, 0, 0, 0, now(), now());
INSERT INTO customer_interactions (id, tenant_id, organization_id, entity_id, interaction_type, status,
  scheduled_at, owner_user_id, version, schedule_version, due_phase, status_as_of, scheduled_as_of,
  occurred_as_of, created_at, updated_at)
SELECT gen_random_uuid(), '{TENANT}', '{ORGANIZATION}', '{_OWNER}', 'call',
  CASE WHEN n % 2 = 0 THEN 'planned' ELSE 'done' END, now() - n * interval '1 minute',
  CASE WHEN n <= 40 THEN '{_OWNER}'::uuid ELSE gen_random_uuid() END, 1, 1, 0, now(), now(), now(), now(),
  now()
FROM generate_series(1, 20000) n;
INSERT INTO journal (tenant_id, organization_id, command_id, command_type, entity_id, interaction_id,
  partition, "offset", fingerprint, outcome, appended_at, facts)
SELECT '{TENANT}', '{ORGANIZATION}', n::text, 'customers.interaction.update', '{_OWNER}',
  CASE WHEN n % 2000 = 0 THEN '{_INTERACTION}'::uuid ELSE gen_random_uuid() END, 0, n, '', 'applied', now(),
  '{{}}'
FROM generate_series(1, 20000) n;
ANALYZE customer_interactions, journal
"""


@pytest.fixture
def reader(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test", autocommit=True) as connection:
        connection.execute(_FILL.encode())
        yield connection


def explain(connection: Connection, statement: str, values: dict[str, Any]) -> str:
    scope = {"tenant": TENANT, "organization": ORGANIZATION}
    lines = connection.execute(f"EXPLAIN {statement}".encode(), {**scope, **values}).fetchall()
    return "\n".join(line for (line,) in lines)


def test_a_history_reads_the_entries_of_its_interaction(reader: Connection) -> None:
    values = {"interaction": _INTERACTION, "before": NEWEST, "limit": 11}
    reader.execute("SET enable_seqscan = off")  # partitions that are empty here
    plan = explain(reader, HISTORY_SQL, values)
    assert "Seq Scan" not in plan, plan
    assert "_interaction_id_position_idx" in plan, plan
    found = reader.execute(HISTORY_SQL.encode(), {"tenant": TENANT, "organization": ORGANIZATION, **values})
    positions = [row[-1] for row in found.fetchall()]
    assert len(positions) == 10
    assert positions == sorted(positions, reverse=True)


def test_a_history_is_read_in_its_own_scope(reader: Connection) -> None:
    values = {"interaction": _INTERACTION, "before": NEWEST, "limit": 11}
    own = {"tenant": TENANT, "organization": ORGANIZATION}
    for scope, count in ((own, 10), ({**own, "tenant": new_id()}, 0), ({**own, "organization": new_id()}, 0)):
        assert len(reader.execute(HISTORY_SQL.encode(), {**scope, **values}).fetchall()) == count


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (UNDO_FACTS_SQL, {"step": new_id(), "made": [new_id()]}, "pk_customer_interactions"),
        (PEOPLE_SQL, {}, "ix_customer_interactions_schedule"),
        (MIRRORS_SQL, {"ids": [new_id()] * 100, "flag": "x"}, ""),
    ],
    ids=["undo", "people", "mirrors"],
)
def test_the_statement_scans_no_large_table(
    reader: Connection, statement: str, values: dict[str, Any], index: str
) -> None:
    # Tables that are empty here are scanned, unless that is discouraged.
    reader.execute("SET enable_seqscan = off")
    plan = explain(reader, statement, values)
    assert index in plan, plan
    assert "Seq Scan" not in plan, plan


@pytest.mark.parametrize("done", [False, True])
def test_the_day_of_a_user_reads_the_rows_of_that_user(
    fresh_database: Settings, reader: Connection, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    plans: list[str] = []

    async def explained(_connection: Any, statement: str, values: dict[str, Any]) -> list[dict[str, int]]:
        plans.append(explain(reader, statement, values))
        cursor = reader.execute(statement.encode(), values)
        return [{"due": cursor.fetchone()[0]}]  # type: ignore[index]

    monkeypatch.setattr(api.queries.task_list, "fetch", explained)
    now = datetime.now(UTC)
    filters = TaskFilters(
        interaction_types=("call",),
        owner_user_id=_OWNER,
        done_since=now - timedelta(hours=1) if done else None,
    )
    nothing: Any = None
    range_ = (None, now + timedelta(hours=1))
    counts = asyncio.run(task_counts(nothing, Scope(TENANT, ORGANIZATION), filters, {"due": range_}))
    assert counts == {"due": 20}
    assert f"ix_customer_interactions_owner_{'done' if done else 'planned'}" in plans[0], plans[0]
