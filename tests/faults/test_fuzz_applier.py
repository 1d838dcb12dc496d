"""The same strange records through a real applier: no stall, no crash, one outcome each."""

from __future__ import annotations

import os
import random

import pytest

from runtime.settings import Settings
from tests.harness.audit import run_audit
from tests.harness.fuzz import Fuzz
from tests.harness.roles import running
from tests.harness.wire import publish, wait_for_results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
# Read at once: the servers' fixture hides these variables from the tests.
_SEED = int(os.environ.get("INTERACTIONS_CHAOS_SEED") or random.randrange(2**31))
_RECORDS = int(os.environ.get("INTERACTIONS_FUZZ_RECORDS") or 20_000) // 4


def test_no_record_stalls_the_applier(fresh_settings: Settings) -> None:
    seed = _SEED
    print(f"repeat with INTERACTIONS_CHAOS_SEED={seed}")
    fuzz = Fuzz(seed)
    with running(fresh_settings, "applier") as applier, running(fresh_settings, "relay"):
        places = publish(fresh_settings, (fuzz.record() for _ in range(_RECORDS)))
        wait_for_results(fresh_settings, places, 200)
        assert applier.process.poll() is None
        _, report = run_audit(fresh_settings)
    broken = {check["name"]: check["violations"][:2] for check in report["checks"] if check["violations"]}
    # Where exactly a malformed record stops being readable, decoder and auditor may see differently (A2,
    # A5, A7); that each has one outcome, and each event came out once and in order, they may not.
    assert not {"A1", "A3", "A4", "A6", "A9", "A10"} & set(broken), broken
    assert report["lag"] == 0
