"""The same strange records through a real applier: no stall, no crash, one outcome each, a clean audit."""

from __future__ import annotations

import os
import random

import pytest

from runtime.settings import Settings
from tests.harness.audit import assert_clean
from tests.harness.fuzz import Fuzz
from tests.harness.roles import running
from tests.harness.wire import publish, wait_for_results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
_RECORDS = int(os.environ.get("INTERACTIONS_FUZZ_RECORDS") or 20_000) // 4


def test_no_record_stalls_the_applier(fresh_settings: Settings) -> None:
    seed = int(os.environ.get("INTERACTIONS_CHAOS_SEED") or random.randrange(2**31))
    print(f"repeat with INTERACTIONS_CHAOS_SEED={seed}")
    fuzz = Fuzz(seed)
    with running(fresh_settings, "applier") as applier, running(fresh_settings, "relay"):
        places = publish(fresh_settings, (fuzz.record() for _ in range(_RECORDS)))
        wait_for_results(fresh_settings, places, 200)
        assert applier.process.poll() is None
        assert_clean(fresh_settings)
