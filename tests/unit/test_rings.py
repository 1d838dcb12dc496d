"""Selection of tests by `make test` and `make test-long`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_is_in_one_of_the_two_rings_and_random_inputs_are_in_both() -> None:
    default = re.search(r'addopts = \["-m", "([^"]+)"', (ROOT / "pyproject.toml").read_text())
    assert default is not None
    line = r'pytest (?:--hypothesis-profile all )?-m "([^"]+)" --numprocesses'
    selected = re.findall(line, (ROOT / "Makefile").read_text())
    drawn = "long or random or hypothesis"
    assert selected == [f"not long and {default[1]}", f"({drawn}) and {default[1]}"]
