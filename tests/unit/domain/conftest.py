"""A log with one customer in it."""

from __future__ import annotations

import pytest

from tests.unit.domain.commands import Publisher


@pytest.fixture
def log() -> Publisher:
    """A publisher whose customer Ada is known."""
    publisher = Publisher()
    publisher.customer()
    return publisher
