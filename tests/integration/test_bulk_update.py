"""A bulk UPDATE matches every row, or nothing is committed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from sinks.bulk_update import BulkUpdate

pytestmark = pytest.mark.integration
ROWS = BulkUpdate("things", ("id", "tenant_id", "organization_id", "title"), ("uuid", "uuid", "uuid", "text"))


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def _row(number: int, title: str, *, tenant: int = 1, organization: int = 2) -> tuple[Any, ...]:
    return _id(number), _id(tenant), _id(organization), title


@pytest.fixture
def things(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="tests", autocommit=True) as connection:
        connection.execute(
            "CREATE TEMP TABLE things (id uuid, tenant_id uuid, organization_id uuid, title text)"
        )
        for number in (10, 11):
            connection.execute("INSERT INTO things VALUES (%s, %s, %s, %s)", _row(number, "old"))
        yield connection


def _titles(connection: Connection) -> list[str]:
    return [title for (title,) in connection.execute("SELECT title FROM things ORDER BY id").fetchall()]


def test_all_rows_are_changed(things: Connection) -> None:
    ROWS.write(things, [_row(10, "new"), _row(11, "newer")])
    ROWS.write(things, [])
    assert _titles(things) == ["new", "newer"]


@pytest.mark.parametrize(
    "missing", [_row(12, "new"), _row(11, "new", tenant=3), _row(11, "new", organization=3)]
)
@pytest.mark.parametrize("pipelined", [False, True])
def test_a_missing_row_rolls_back_the_update(
    things: Connection, missing: tuple[Any, ...], *, pipelined: bool
) -> None:
    """Even when COMMIT was sent before the result arrived."""

    def write() -> None:
        if not pipelined:
            with things.transaction():
                ROWS.write(things, [_row(10, "new"), missing])
            return
        with things.pipeline():
            things.execute("BEGIN")
            ROWS.write(things, [_row(10, "new"), missing])
            things.execute("COMMIT")

    with pytest.raises(psycopg.DataError, match="an update of things has found 1 rows"):
        write()
    things.rollback()
    assert _titles(things) == ["old", "old"]
