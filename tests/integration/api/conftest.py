"""One pipeline with a gateway for all of these tests: each works with customers of its own."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from runtime.settings import Settings
from tests.harness.gateway import Gateway, new_customer, serving
from tests.harness.roles import running
from tests.stack_fixtures import own_world


@pytest.fixture(scope="session")
def pipeline(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """An applier at work; nobody of these tests reads the event topics."""
    with own_world(embedded_stack, template_database) as settings, running(settings, "applier"):
        yield settings


@pytest.fixture(scope="module")
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """Servers of the module's own, without any role."""
    with own_world(embedded_stack, template_database) as settings:
        yield settings


@pytest.fixture(scope="session")
def gateway(pipeline: Settings) -> Iterator[Gateway]:
    """A gateway in front of the pipeline, which tells how many statements an answer took."""
    with serving(pipeline, INTERACTIONS_API_SHOW_STATEMENTS="true") as found:
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
