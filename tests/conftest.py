"""Fixtures for every ring of tests."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings

# The assertions of the providers' suite explain themselves when they fail; before anything imports it.
pytest.register_assert_rewrite("connectors.sdk.conformance")
pytest_plugins = ["tests.stack_fixtures"]

# A shell that starts the tests in the background lets them ignore Ctrl-C, and programs inherit that; the
# tests that press Ctrl-C need the usual disposition.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Law: no test has a limit on speed; a machine that stalls must not fail one.
settings.register_profile("untimed", parent=settings(), deadline=None)
settings.load_profile("untimed")

#: Modules of minutes each: `make test-long` runs them, `make test` runs all others.
LONG_MODULES = frozenset(
    {
        "acceptance/test_bank.py",
        "faults/mutants/test_mutants.py",
        "faults/test_fuzz_applier.py",
        "integration/api/test_conformance.py",
        "integration/test_crash_points.py",
        "integration/test_rebalance.py",
    }
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark the long modules before pytest selects by marker."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).as_posix() in LONG_MODULES:
            item.add_marker(pytest.mark.long)
