"""CalDAV against a second real server: the suite of every provider, and two clients at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.conformance import ProviderConformance
from tests.providers.test_caldav import CaldavStage
from tests.providers.test_caldav_behaviour import TestMaking, TestTwoClients
from tests.providers.xandikos_server import XandikosServer, xandikos

__all__ = ["TestMaking", "TestTwoClients"]


@pytest.fixture(scope="module")
def server() -> Iterator[XandikosServer]:
    with xandikos() as running:
        yield running


@pytest.fixture
def stage(server: XandikosServer) -> Iterator[CaldavStage]:
    made = CaldavStage(server)
    yield made
    made.close()


class TestConformance(ProviderConformance):
    """The same suite as for every provider."""
