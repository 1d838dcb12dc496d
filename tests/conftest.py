"""Fixtures for every ring of tests."""

from __future__ import annotations

import signal

pytest_plugins = ["tests.stack_fixtures"]

# A shell that starts the tests in the background lets them ignore Ctrl-C, and programs inherit that; the
# tests that press Ctrl-C need the usual disposition.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
