"""Fixtures for every ring of tests."""

from __future__ import annotations

pytest_plugins = ["tests.stack_fixtures"]
