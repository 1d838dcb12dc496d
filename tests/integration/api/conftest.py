"""One pipeline with a gateway for each module of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from runtime.settings import Settings
from tests.harness.gateway import Gateway, new_customer, serving


@pytest.fixture(scope="module")
def gateway(pipeline: Settings) -> Iterator[Gateway]:
    """A gateway in front of the module's pipeline."""
    with serving(pipeline) as found:
        yield found


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx2.Client]:
    """Signed in with every feature."""
    with gateway.client() as found:
        yield found


@pytest.fixture(scope="module")
def customer(pipeline: Settings, gateway: Gateway) -> str:
    """A customer that the module's tests share."""
    with gateway.client() as found:
        return new_customer(found, pipeline)
