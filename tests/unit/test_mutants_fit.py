"""Every mutant replaces an existing name, and its test exists.

A patch of a name that has moved would change nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.faults.mutants.catalogue import load

_ROOT = Path(__file__).parents[2]


def test_every_mutant_replaces_what_is_there() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.mutants.fit"],
        cwd=_ROOT,
        capture_output=True,
        check=True,
        timeout=240,
    )
    added = json.loads(done.stdout)
    assert len(added) > 80
    assert not {name: names for name, names in added.items() if names}, "the code has no such names"


def test_every_test_that_exposes_a_mutant_exists() -> None:
    missing = []
    for name, mutant in load().items():
        kind, _, node = mutant.exposed_by.partition(":")
        if kind == "test":
            file, _, test = node.partition("::")
            function = test.partition("[")[0].rpartition("::")[2]
            text = (_ROOT / file).read_text(encoding="utf-8") if (_ROOT / file).is_file() else ""
            if (f"def {function}(" if function else "def test_") not in text:
                missing.append(f"{name}: {node}")
    assert not missing
