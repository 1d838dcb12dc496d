"""No role reads its own wall clock: the servers' clocks decide, so a clock step changes nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_PACKAGES = ("schemas", "domain", "sinks", "streams")
#: Views for operators, partitions created months ahead and budgets per day may use the machine's clock.
_ALLOWED = {
    "sinks/backlog.py",
    "sinks/monthly_partitions.py",
    "streams/drafts/writers/chat/daily_budget.py",
}
_WALL = {"now", "utcnow", "today", "time", "time_ns", "SystemClock"}


def _reads(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = (
                owner.id
                if isinstance(owner, ast.Name)
                else owner.attr
                if isinstance(owner, ast.Attribute)
                else ""
            )
            if node.func.attr in _WALL and name in {"datetime", "date", "time", "clock"}:
                yield f"{name}.{node.func.attr}()"
        elif isinstance(node, ast.Name) and node.id == "SystemClock":
            yield node.id


def test_no_role_reads_its_own_wall_clock() -> None:
    reads = {
        str(file.relative_to(_ROOT)): found
        for package in _PACKAGES
        for file in sorted((_ROOT / package).rglob("*.py"))
        if (found := list(_reads(file.read_text())))
    }
    assert set(reads) - _ALLOWED == set(), reads


def test_the_search_finds_what_it_looks_for() -> None:
    source = (
        "import time, datetime\nnow = datetime.datetime.now(UTC)\nthen = datetime.now()\nat = time.time()\n"
    )
    assert list(_reads(source)) == ["datetime.now()", "datetime.now()", "time.time()"]
    assert list(_reads("import time\nfor _ in range(3): time.monotonic()")) == []
