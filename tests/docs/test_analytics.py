"""docs/analytics.md: its commands run as written; its queries and its table match the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples.read_model.queries import QUERIES
from examples.read_model.records import EVENTS, FOLLOWED_STATES, READ_ONCE, TABLES
from examples.read_model.tables import ReadModel
from runtime.settings import Settings
from tests.harness.marked_blocks import script_of
from tests.harness.page_shell import run_lines
from tests.harness.roles import environment, running

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/analytics.md").read_text()


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_the_commands_work_as_they_are_written(fresh_settings: Settings, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        lines = script_of(PAGE, at_least=1)
        done = run_lines(lines, environment(fresh_settings), tools, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for title in QUERIES:
        assert title in done.stdout
    with ReadModel(str(tmp_path / "read-model.duckdb")) as model:
        for query in QUERIES.values():
            assert model.database.execute(query).fetchall(), query


def test_the_queries_are_those_of_the_program() -> None:
    shown = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    assert shown == [query.lstrip() for query in QUERIES.values()]


def test_the_table_names_the_topics_that_each_table_is_read_from() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE)
    shown = {table: re.findall(r"`(customers\.[\w.-]+)`", text) for table, text in rows}
    expected = {TABLES[topic].replace("_versions", "s"): [topic, EVENTS] for topic in READ_ONCE}
    assert shown == {**expected, **{TABLES[topic]: [topic] for topic in FOLLOWED_STATES}}
