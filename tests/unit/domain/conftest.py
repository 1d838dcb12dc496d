"""Fixture: a publisher with one customer."""

from __future__ import annotations

import pytest

from tests.unit.domain.commands import Publisher


@pytest.fixture
def log() -> Publisher:
    """A publisher with the customer Ada."""
    publisher = Publisher()
    publisher.customer()
    return publisher
