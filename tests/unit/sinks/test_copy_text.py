"""Values are escaped in COPY text and array literals, whatever their column."""

from __future__ import annotations

import pytest

from sinks.array_literals import ARRAYS
from sinks.bulk_insert import BulkInsert

_HOSTILE = ("a\n", "a\tb", "a\\", "\\.", "\\N", "a\r", '"', ",", "}", "{", "a,b", '\\"')


@pytest.mark.parametrize("text", _HOSTILE, ids=repr)
def test_a_row_stays_one_line_of_its_columns(text: str) -> None:
    rows = BulkInsert("t", ("tenant_id", "title", "facts", "command_id"), ("uuid", "text", "json", "text"))
    made = rows.text([(text, text, text, text), (None, "next", "{}", "row")]).decode()
    lines = made.split("\n")
    assert lines[1:] == ["\\N\tnext\t{}\trow", ""]
    fields = lines[0].split("\t")
    assert len(fields) == 4
    assert {_unescaped(field) for field in fields} == {text}


@pytest.mark.parametrize("kind", ["uuid", "text", "json"])
@pytest.mark.parametrize("text", _HOSTILE, ids=repr)
def test_an_element_of_an_array_stays_one_element(text: str, kind: str) -> None:
    assert ARRAYS[kind]([text, None, "next"]) == (
        '{"' + text.replace("\\", "\\\\").replace('"', '\\"') + '",NULL,"next"}'
    )


def _unescaped(field: str) -> str:
    """Decode a field as the server does (PostgreSQL documentation, COPY, "Text Format")."""
    text, rest = "", field
    while rest:
        if rest[0] == "\\":
            text += {"n": "\n", "t": "\t", "r": "\r"}.get(rest[1], rest[1])
            rest = rest[2:]
        else:
            text += rest[0]
            rest = rest[1:]
    return text
