"""CalDAV conformance against a second real server, and concurrent clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.sdk.conformance import ProviderConformance
from tests.providers import test_caldav_behaviour
from tests.providers.test_caldav import CaldavHarness
from tests.providers.test_caldav_behaviour import TestMaking
from tests.providers.xandikos_server import XandikosServer, xandikos

__all__ = ["TestMaking"]


@pytest.fixture(scope="module")
def server() -> Iterator[XandikosServer]:
    with xandikos() as running:
        yield running


@pytest.fixture
def harness(server: XandikosServer) -> Iterator[CaldavHarness]:
    made = CaldavHarness(server)
    yield made
    made.close()


@pytest.mark.long
class TestConformance(ProviderConformance):
    """The conformance suite, as for every provider."""


class TestTwoClients(test_caldav_behaviour.TestTwoClients):
    """As with Radicale, except for concurrent writes.

    Xandikos 0.4 compares the tag and stores the object in two steps: of two concurrent writes, one gets
    500, or both succeed and one is lost.
    """

    test_no_edit_of_either_is_lost = None  # type: ignore[assignment]
