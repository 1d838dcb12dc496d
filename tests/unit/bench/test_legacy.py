"""The generated installation is the same for a seed, and its counts are those of the files."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from bench.legacy.generate import generate
from bench.legacy.population import Population

Rows = list[dict[str, str]]
_ACTIVITIES, _TODOS = 12_000, 6_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("legacy")
    generate(path, activities=_ACTIVITIES, todos=_TODOS, seed=7)
    return path


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return loaded


def _lines(folder: Path, name: str) -> Iterator[list[str]]:
    """Rows in UTF-8 where they are, and in Windows-1252 where they are not."""
    content = (folder / f"{name}.csv").read_bytes().decode("utf-8", "surrogateescape")
    return csv.reader(io.StringIO(content, newline=""))


def _rows(folder: Path, name: str) -> Rows:
    header, *rows = _lines(folder, name)
    return [dict(zip(header, row, strict=True)) for row in rows]


def _valid(row: dict[str, str]) -> bool:
    try:
        return all(len(row[name]) == 36 and UUID(row[name]) for name in ("id", "entity_id"))
    except ValueError:
        return False


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    generate(tmp_path, activities=_ACTIVITIES, todos=_TODOS, seed=7)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes(), name
    other = tmp_path / "other"
    generate(other, activities=100, todos=50, seed=8)
    assert (other / "todos.csv").read_bytes()[:500] != (folder / "todos.csv").read_bytes()[:500]


def test_the_counts_are_those_of_the_rows(folder: Path, expected: dict[str, Any]) -> None:
    counts = expected["files"]["customer_activities"]
    rows = _rows(folder, "customer_activities")
    valid = [row for row in rows if _valid(row)]
    assert len(rows) == counts["rows"] == _ACTIVITIES
    assert len(rows) - len(valid) == sum(counts[k] for k in ("no_id", "broken_id", "broken_entity_id"))
    assert sum(not row["id"] for row in rows) == counts["no_id"]
    ids = Counter(row["id"].lower() for row in valid)
    assert sum(number - 1 for number in ids.values()) == counts["repeated_row"] > 0
    assert (
        dict(Counter(row["tenant_id"] for row in {row["id"]: row for row in valid}.values()))
        == (expected["tenants"]["customer_activities"])
    )
    for kind, found in {
        "cp1252": [row for row in valid if any("\udc80" <= c <= "\udcff" for c in "".join(row.values()))],
        "nul": [row for row in valid if "\x00" in row["body"]],
        "upper_case_id": [row for row in valid if row["id"] != row["id"].lower()],
        "type_call_email": [row for row in valid if row["activity_type"] == "Call / Email"],
        "type_too_long": [row for row in valid if len(row["activity_type"]) > 100],
        "type_without_letters": [row for row in valid if not any(map(str.isalnum, row["activity_type"]))],
        "title_null": [row for row in valid if not row["subject"]],
        "title_too_long": [row for row in valid if len(row["subject"]) > 500],
        "body_too_long": [row for row in valid if len(row["body"]) > 10_000],
        "icon_too_long": [row for row in valid if len(row["appearance_icon"]) > 100],
        "created_at_future": [row for row in valid if row["created_at"].startswith("2089")],
        "created_at_null": [row for row in valid if not row["created_at"]],
        "occurred_at_null": [row for row in valid if not row["occurred_at"]],
        "occurred_at_year_1": [row for row in valid if row["occurred_at"].startswith("0001")],
        "occurred_at_year_9999": [row for row in valid if row["occurred_at"].startswith("9999")],
        "occurred_at_infinity": [row for row in valid if "infinity" in row["occurred_at"]],
    }.items():
        assert len(found) == counts[kind] > 0, kind


def test_customers_and_deals_are_unknown_or_anothers_as_often_as_counted(
    folder: Path, expected: dict[str, Any]
) -> None:
    counts = expected["files"]["customer_activities"]
    activities = [row for row in _rows(folder, "customer_activities") if _valid(row)]
    links = [row for row in _rows(folder, "customer_todo_links") if _valid(row)]
    entities = {row["id"]: row for row in _rows(folder, "customer_entities")}
    deals = {
        row["deal_id"]: row[f"{kind}_entity_id"]
        for kind, name in (("person", "customer_deal_people"), ("company", "customer_deal_companies"))
        for row in _rows(folder, name)
    }
    assert deals.keys() == {row["id"] for row in _rows(folder, "customer_deals")}
    unknown = [row["entity_id"] for row in activities if row["entity_id"] not in entities]
    gone = {identity for identity, row in entities.items() if row["deleted_at"]}
    assert len(unknown) == counts["unknown_customer"] > 0
    assert sum(row["entity_id"] in gone for row in activities) == counts["deleted_customer"] > 0
    both = [row["entity_id"] for row in (*activities, *links)]
    assert len({i for i in both if i not in entities}) == expected["customers"]["unknown_customer"]
    assert len({i for i in both if i in gone}) == expected["customers"]["deleted_customer"]
    with_deal = [row for row in activities if row["deal_id"]]
    assert sum(row["deal_id"] not in deals for row in with_deal) == counts["deal_unknown"] > 0
    others = [row for row in with_deal if deals.get(row["deal_id"]) not in (None, row["entity_id"])]
    assert len(others) == counts["deal_of_other_customer"] > 0
    for row in (*activities, *links):
        if row["entity_id"] in entities:
            assert row["tenant_id"] == entities[row["entity_id"]]["tenant_id"]


def test_a_deal_of_another_customer_is_never_the_customers_own() -> None:
    population = Population(Random(3), activities=0)
    owners = [customer for customer in population.customers if customer.deals]
    assert len(owners) > 1
    for customer in owners:
        drawn = {population.deal_of_another(customer) for _ in range(200)}
        assert drawn == {deal for owner in owners if owner is not customer for deal in owner.deals}


def test_links_repeat_share_and_miss_todos_as_often_as_counted(
    folder: Path, expected: dict[str, Any]
) -> None:
    counts = expected["files"]["customer_todo_links"]
    links = [row for row in _rows(folder, "customer_todo_links") if _valid(row)]
    pairs = Counter((row["todo_id"], row["entity_id"]) for row in links)
    assert sum(number - 1 for number in pairs.values()) == counts["repeated_link"] > 0
    customers = Counter(todo for todo, _ in pairs)
    assert set(customers.values()) == {1, 2}
    assert sum(number == 2 for number in customers.values()) == counts["shared_todo"] > 0
    records = {(row["todo_source"], row["id"].lower()) for row in _rows(folder, "todos")}
    lost = [row for row in links if (row["todo_source"], row["todo_id"]) not in records]
    assert len(lost) == sum(counts[kind] for kind in ("dead_provider", "missing_todo", "broken_todo"))
    assert len({row["id"] for row in links}) == len(links)
    assert expected["files"]["sync_external_id_mappings"]["rows"] == len(
        _rows(folder, "sync_external_id_mappings")
    )
