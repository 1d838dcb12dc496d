"""One mutant in each run of the tests, a few in the long one; ``make mutants`` runs all."""

from __future__ import annotations

import pytest

from runtime.settings import Settings
from tests.faults.mutants.catalogue import PLAIN, load
from tests.faults.mutants.scenario import expose

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
_QUICK = {
    "log-lookup-dropped": "A2",
    "tombstone-skipped": "A8",
    "undo-without-event": "A4",
    "step-without-event": "A4",
    "tenant-filter-dropped": "A2",
    "partition-lock-dropped": "test_a_second_owner_waits_for_the_partition",
}
_FIRST, *_OTHERS = _QUICK


@pytest.mark.long
def test_the_control_is_clean(fresh_settings: Settings) -> None:
    assert expose(fresh_settings, "none", PLAIN) == {}


@pytest.mark.parametrize("name", [_FIRST, *(pytest.param(name, marks=pytest.mark.long) for name in _OTHERS)])
def test_a_mutant_is_caught(fresh_settings: Settings, name: str) -> None:
    found = expose(fresh_settings, name, load()[name].exposed_by)
    assert _QUICK[name] in found, found


def test_the_catalogue_is_large_enough() -> None:
    assert len(load()) >= 20
