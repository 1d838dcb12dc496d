"""Fixtures for every ring of tests."""

from __future__ import annotations

import gc
import signal

import pytest
from hypothesis import settings

from tests.harness.examples import PROFILES

# The assertions of the providers' suite explain themselves when they fail; before anything imports it.
pytest.register_assert_rewrite("connectors.sdk.conformance")
pytest_plugins = ["tests.session_stack", "tests.stack_fixtures"]

# Collecting the tests makes a million objects that stay to the end; see pytest_collection_finish.
gc.disable()

# A shell that starts the tests in the background lets them ignore Ctrl-C, and programs inherit that; the
# tests that press Ctrl-C need the usual disposition.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

for name, examples in PROFILES.items():
    # Invariant: no test has a limit on speed; a machine that stalls must not fail one.
    settings.register_profile(name, parent=settings(), deadline=None, max_examples=examples)
settings.load_profile("few")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests on real servers first: they take longest, and the others fill the gaps at the end."""
    items.sort(key=lambda item: item.get_closest_marker("integration") is None)


def pytest_collection_finish() -> None:
    """Let the garbage collector ignore the collected tests: looking through them takes a tenth of the run."""
    gc.freeze()
    gc.enable()
