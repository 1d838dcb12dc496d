"""INSERT of few rows and COPY of many store the same values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from sinks.bulk_insert import BulkInsert

pytestmark = pytest.mark.integration
_COLUMNS = ("id", "title", "priority", "due_phase", "version", "scheduled_at", "facts", "fingerprint")
_TYPES = ("uuid", "text", "integer", "smallint", "bigint", "timestamptz", "json", "bytea")
_TEXTS = [
    "",
    " ",
    "NULL",
    "\\N",
    "\\.",
    "{a,b}",
    'say "so"',
    "it's",
    "C:\\new\\table",
    "a\tb\nc\rd",
    "é €😀",
    "%s",
]


def _rows() -> list[tuple[Any, ...]]:
    moment = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=UTC)
    rows: list[tuple[Any, ...]] = [
        (
            f"00000000-0000-4000-8000-{number:012d}",
            text,
            -number,
            number % 3,
            2**62 + number,
            moment,
            orjson.dumps({"text": text, "list": [text, None]}).decode(),
            text.encode() + b"\x00\xff\\",
        )
        for number, text in enumerate(_TEXTS)
    ]
    return [*rows, ("00000000-0000-4000-8000-00000000ffff", *[None] * 7)]


def test_insert_and_copy_store_the_same(fresh_database: Settings) -> None:
    stored = {}
    with connect(fresh_database, application_name="tests", autocommit=True) as connection:
        for name in ("copied", "inserted"):
            connection.execute(
                f"CREATE TEMP TABLE {name} (id uuid, title text, priority integer, due_phase smallint,"
                " version bigint, scheduled_at timestamptz, facts jsonb, fingerprint bytea)".encode()
            )
            rows = BulkInsert(name, _COLUMNS, _TYPES)
            (rows.copy if name == "copied" else rows.insert)(connection, iter(_rows()))
            rows.insert(connection, iter([]))
            stored[name] = connection.execute(f"SELECT * FROM {name} ORDER BY id".encode()).fetchall()
    assert stored["inserted"] == stored["copied"]
    assert [row[1] for row in stored["inserted"]] == [*_TEXTS, None]
    assert stored["inserted"][0][7] == b"\x00\xff\\"
