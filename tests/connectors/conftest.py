"""Module-scoped pipeline with a Trello board."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.settings import Settings
from tests.connectors.trello_world import TrelloWorld, trello_world
from tests.harness.roles import running
from tests.stack_fixtures import own_world


@pytest.fixture(scope="module")
def world(
    embedded_stack: Settings, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrelloWorld]:
    """Running applier and relay, a Trello board, and an integration that connects them."""
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        running(settings, "relay"),
        trello_world(settings, tmp_path_factory.mktemp("secrets")) as found,
    ):
        yield found
