"""Every mutant replaces an existing name: a patch of a name that has moved would change nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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
