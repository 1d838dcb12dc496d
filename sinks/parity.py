"""Comparison of legacy rows with the interactions that they became, in statements of their own.

Only unchanged interactions can be compared by value; the others are counted.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final, NamedTuple

from psycopg.rows import dict_row

from domain.legacy_rows import DONE, SOURCES
from runtime.postgres import Connection
from sinks.legacy_rows import NOT_TO_MOVE, SHAPES, Kind, generation, legacy_rows_sql

_TENANT: Final = "l.tenant_id = %(tenant)s"
_KEPT_IDS: Final = 5


class Account(NamedTuple):
    """Account of the legacy rows of one kind.

    :param total: rows; ``by_reason``: those that need not or cannot be moved any more, and why.
    :param missing: ids of some of the rows that should be moved and are not.
    """

    total: int
    by_reason: dict[str, int]
    missing_count: int
    missing: list[str]


def account_for(connection: Connection, kind: Kind, tenant_id: str) -> Account:
    """Count the legacy rows of a tenant by what became of them."""
    conditions, earlier = [], "true"
    for reason in NOT_TO_MOVE:
        conditions.append(f"count(*) FILTER (WHERE {earlier} AND r.{reason})")
        earlier += f" AND NOT r.{reason}"
    row = connection.execute(
        f"SELECT count(*), {', '.join(conditions)}, count(*) FILTER (WHERE {earlier}),"  # noqa: S608
        f" (array_agg(r.id) FILTER (WHERE {earlier}))[1:{_KEPT_IDS}]"
        f" FROM ({legacy_rows_sql(kind, _TENANT)}) r",
        {"tenant": tenant_id},
    ).fetchone()
    assert row is not None
    return Account(row[0], dict(zip(NOT_TO_MOVE, row[1:-2], strict=True)), row[-2], row[-1] or [])


_UNTOUCHED: Final = f"""
JOIN customer_interactions i ON i.id = r.id::uuid AND i.source = %(source)s
  AND i.version = 1 + {generation("i.id")}
"""
_VALID: Final = "CASE WHEN {0} >= '1900-01-01Z' AND {0} < '2200-01-01Z' THEN {0} END"
_LEGACY_DAY: Final = f"""
(CASE WHEN lower(trim(r.status)) IN {DONE}
  THEN coalesce({_VALID.format("r.occurred_at")}, {_VALID.format("r.updated_at")},
                {_VALID.format("r.created_at")})
  ELSE {_VALID.format("r.scheduled_at")} END AT TIME ZONE 'UTC')::date
"""
_OUR_DAY: Final = """
(CASE WHEN i.status = 'done' THEN i.occurred_at ELSE i.scheduled_at END AT TIME ZONE 'UTC')::date
"""
_DAYS: Final = """
SELECT r.organization_id, r.interaction_type, i.interaction_type, legacy_day, our_day, count(*)
FROM ({shape} WHERE l.tenant_id = %(tenant)s) r {untouched}
CROSS JOIN LATERAL (SELECT {legacy} AS legacy_day, {ours} AS our_day) d
WHERE NOT (legacy_day IS NULL AND i.status = 'done')
GROUP BY 1, 2, 3, 4, 5
"""


class DayCount(NamedTuple):
    """Number of rows with the same types and days on both sides."""

    organization_id: str
    legacy_type: str
    our_type: str
    legacy_day: date | None
    our_day: date | None
    rows: int


def days_and_types(connection: Connection, kind: Kind, tenant_id: str) -> list[DayCount]:
    """Count the unchanged rows of a tenant, by type and day on both sides."""
    statement = _DAYS.format(shape=SHAPES[kind], untouched=_UNTOUCHED, legacy=_LEGACY_DAY, ours=_OUR_DAY)
    rows = connection.execute(statement, {"tenant": tenant_id, "source": SOURCES[kind]})
    return [DayCount(*row) for row in rows]


_STORED: Final = """
SELECT i.id::text AS id, i.interaction_type, i.title, i.body, i.status, i.scheduled_at, i.occurred_at,
  i.priority, i.deal_id::text AS deal_id, i.author_user_id::text AS author_user_id,
  i.owner_user_id::text AS owner_user_id, i.appearance_icon, i.appearance_color, i.source, i.created_at,
  i.updated_at
FROM unnest(%(ids)s::text[]) AS r (id) {untouched}
"""


_SAMPLED: Final = f"""
{_TENANT} AND EXISTS (SELECT 1 FROM customer_interactions s WHERE s.id = l.id)
ORDER BY md5(l.id::text) LIMIT %(number)s
"""  # noqa: S608 - constant texts


def sampled_rows(connection: Connection, kind: Kind, tenant_id: str, number: int) -> list[dict[str, Any]]:
    """Rows of a tenant that were moved, spread over all ids by their hash."""
    with connection.cursor(row_factory=dict_row) as cursor:
        values = {"tenant": tenant_id, "number": number}
        return cursor.execute(legacy_rows_sql(kind, _SAMPLED), values).fetchall()


def untouched(connection: Connection, kind: Kind, ids: list[str]) -> dict[str, dict[str, Any]]:
    """The unchanged interactions of these legacy rows, by id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            _STORED.format(untouched=_UNTOUCHED), {"ids": ids, "source": SOURCES[kind]}
        ).fetchall()
    return {row["id"]: row for row in rows}
