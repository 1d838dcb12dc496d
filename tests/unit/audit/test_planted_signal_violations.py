"""Every invariant of signals and drafts, violated on purpose: the check that is meant must report it."""

from __future__ import annotations

import pytest

from audit.run import audit
from tests.unit.audit.planting import assert_found
from tests.unit.audit.signal_plants import PLANTS
from tests.unit.audit.story import run_story


@pytest.mark.parametrize("name", sorted(PLANTS))
def test_a_planted_violation_is_found_by_its_check(name: str) -> None:
    machine = run_story()
    PLANTS[name].tamper(machine)
    assert_found(audit(machine.history()), PLANTS[name])
