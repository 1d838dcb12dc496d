"""Selection of tests by `make test` and `make test-long`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_is_in_exactly_one_of_the_two_rings() -> None:
    default = re.search(r'addopts = \["-m", "([^"]+)"', (ROOT / "pyproject.toml").read_text())
    assert default is not None
    selected = re.findall(r'pytest -m "([^"]+)" --numprocesses', (ROOT / "Makefile").read_text())
    assert selected == [f"not long and {default[1]}", f"long and {default[1]}"]
