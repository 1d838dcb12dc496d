"""A running pipeline for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.settings import Settings
from tests.harness.roles import running
from tests.stack_fixtures import own_world


@pytest.fixture(scope="module")
def pipeline(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """Applier and relay at work in a world of their own."""
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        running(settings, "relay"),
    ):
        yield settings
