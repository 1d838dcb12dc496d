"""Query plans: the applier's cached plans use indexes even if they were made on empty tables."""

from __future__ import annotations

import re
from itertools import count

import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from sinks import batch, read_set_queries
from sinks.query_plans import KEEP_PLANS

pytestmark = pytest.mark.integration

_STATEMENTS = {
    f"{module.__name__}.{name}": text
    for module in (read_set_queries, batch)
    for name, text in vars(module).items()
    if name.endswith("_SQL") and re.search(r"\b(FROM|JOIN) (customer_|journal|consumed_|interaction_)", text)
}


def test_the_statements_cover_every_table() -> None:
    texts = " ".join(_STATEMENTS.values())
    for table in (
        "consumed_offsets",
        "customer_deals",
        "customer_entities",
        "customer_interactions",
        "interaction_dictionaries",
        "interaction_types",
        "journal",
    ):
        assert table in texts


@pytest.mark.parametrize("name", _STATEMENTS)
def test_a_plan_made_on_empty_tables_uses_an_index(fresh_database: Settings, name: str) -> None:
    numbers = count(1)
    statement = re.sub("%[sb]", lambda _: f"${next(numbers)}", _STATEMENTS[name])
    with connect(fresh_database, application_name="test", autocommit=True) as connection:
        for setting in KEEP_PLANS:
            connection.execute(setting)
        lines = connection.execute(f"EXPLAIN (GENERIC_PLAN) {statement}".encode()).fetchall()
    plan = "\n".join(line for (line,) in lines)
    assert "Index" in plan
    assert not re.search("Seq Scan|Hash Join|Merge Join|Materialize", plan), plan
