"""A step of our processes' clocks changes nothing, because no role asks its own: the servers' decide."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_ROOMS = ("schemas", "domain", "sinks", "streams")
#: What people look at, and what is made ahead for months, may use the machine's clock.
_ALLOWED = {"sinks/backlog.py", "sinks/monthly_partitions.py"}
_WALL = {"now", "utcnow", "today", "time", "time_ns", "SystemClock"}


def _asked(source: str) -> Iterator[str]:
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


def test_no_role_asks_its_own_wall_clock() -> None:
    asked = {
        str(file.relative_to(_ROOT)): found
        for room in _ROOMS
        for file in sorted((_ROOT / room).rglob("*.py"))
        if (found := list(_asked(file.read_text())))
    }
    assert set(asked) - _ALLOWED == set(), asked


def test_the_search_finds_what_it_looks_for() -> None:
    source = (
        "import time, datetime\nnow = datetime.datetime.now(UTC)\nthen = datetime.now()\nat = time.time()\n"
    )
    assert list(_asked(source)) == ["datetime.now()", "datetime.now()", "time.time()"]
    assert list(_asked("import time\nfor _ in range(3): time.monotonic()")) == []
