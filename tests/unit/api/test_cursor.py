"""Cursors: microsecond precision, and bound to their list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursor import make_cursor, read_cursor
from api.problems import LegacyError
from api.queries.keyset import After

ID = "33333333-3333-4333-8333-333333333333"
FILTERS = {"status": ("planned",), "entity_id": None}


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (datetime(2026, 5, 1, 9, 0, 0, 123456, tzinfo=UTC), datetime),
        (None, datetime),
        ("Zoë", str),
        (None, str),
        (0, int),
    ],
)
def test_there_and_back(key: Any, kind: type) -> None:
    cursor = make_cursor("title", "asc", FILTERS, key, ID)
    assert read_cursor(cursor, "title", "asc", FILTERS, kind) == After(key, ID)


def test_a_filter_that_is_not_set_does_not_count() -> None:
    cursor = make_cursor("title", "asc", FILTERS, "a", ID)
    assert read_cursor(cursor, "title", "asc", {"status": ("planned",)}, str).key == "a"


@pytest.mark.parametrize(
    ("sort", "direction", "filters", "kind"),
    [
        ("status", "asc", FILTERS, str),
        ("title", "desc", FILTERS, str),
        ("title", "asc", {"status": ("done",)}, str),
        ("title", "asc", FILTERS, int),
        ("title", "asc", FILTERS, datetime),
    ],
)
def test_another_list(sort: str, direction: str, filters: dict[str, Any], kind: type) -> None:
    cursor = make_cursor("title", "asc", FILTERS, "a", ID)
    with pytest.raises(LegacyError) as refused:
        read_cursor(cursor, sort, direction, filters, kind)
    assert (refused.value.status, refused.value.error) == (400, "Invalid cursor")


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.hex()))
def test_anything_else_is_refused_and_nothing_raises(text: str) -> None:
    with pytest.raises(LegacyError):
        read_cursor(text, "title", "asc", FILTERS, str)
