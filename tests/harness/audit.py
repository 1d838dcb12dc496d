"""Run the auditor as an operator does."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from runtime.settings import Settings
from tests.harness.roles import environment


def run_audit(settings: Settings, wait: int = 90) -> tuple[int, dict[str, Any]]:
    """Exit code and report of ``interactions audit --json``, once the pipeline is idle."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "audit", "--json", "--require-drained", "--wait", str(wait)],
        env=environment(settings),
        capture_output=True,
        timeout=wait + 900,
        check=False,
    )
    assert done.stdout, done.stderr.decode()[-3000:]
    return done.returncode, json.loads(done.stdout)


def assert_clean(settings: Settings) -> None:
    """Assert that every invariant holds and nothing is left to do."""
    code, report = run_audit(settings)
    broken = {check["name"]: check["violations"][:3] for check in report["checks"] if check["violations"]}
    assert not broken, broken
    assert code == 0, report
