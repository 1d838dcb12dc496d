"""Fixtures for unit tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may pass through (pytest's own temporary folders are closed)."""
    with tempfile.TemporaryDirectory(prefix="interactions-unit-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)
