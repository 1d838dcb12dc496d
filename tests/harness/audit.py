"""Run the auditor as an operator does."""

from __future__ import annotations

import json
from typing import Any

from runtime.settings import Settings
from tests.harness.forked import run
from tests.harness.roles import environment


def run_audit(settings: Settings, wait: int = 90) -> tuple[int, dict[str, Any]]:
    """Exit code and report of ``interactions audit --json``, once the pipeline is idle."""
    arguments = ["audit", "--json", "--require-drained", "--wait", str(wait)]
    done = run(arguments, environment(settings), timeout=wait + 900)
    assert done.stdout, done.stderr[-3000:]
    return done.returncode, json.loads(done.stdout)


def assert_clean(settings: Settings) -> None:
    """Assert that every invariant holds and nothing is left to do."""
    code, report = run_audit(settings)
    broken = {check["name"]: check["violations"][:3] for check in report["checks"] if check["violations"]}
    assert not broken, broken
    assert code == 0, report
