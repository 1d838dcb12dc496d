"""One pipeline with a gateway for all of these tests. Each test uses its own customers."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from runtime.settings import Settings
from tests.harness.gateway import Gateway, new_customer, serving
from tests.harness.roles import running
from tests.harness.wire import new_id
from tests.integration.api.signal_desk import Desk
from tests.stack_fixtures import own_world


@pytest.fixture(scope="session")
def pipeline(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """A running applier. No relay: these tests do not read the event topics."""
    with own_world(embedded_stack, template_database) as settings, running(settings, "applier"):
        yield settings


@pytest.fixture(scope="module")
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """Servers for one module, without any role."""
    with own_world(embedded_stack, template_database) as settings:
        yield settings


@pytest.fixture(scope="session")
def gateway(pipeline: Settings) -> Iterator[Gateway]:
    """A gateway in front of the pipeline. It reports the number of statements per response."""
    with serving(pipeline, INTERACTIONS_API_SHOW_STATEMENTS="true") as found:
        yield found


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx2.Client]:
    """A client with every feature."""
    with gateway.client() as found:
        yield found


@pytest.fixture(scope="module")
def customer(pipeline: Settings, gateway: Gateway) -> str:
    """A customer that the tests of a module share."""
    with gateway.client() as found:
        return new_customer(found, pipeline)


@pytest.fixture(scope="session")
def signals_world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """A pipeline that publishes events, which the drafts role reads."""
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        running(settings, "relay"),
    ):
        yield settings


@pytest.fixture(scope="session")
def drafts_gateway(signals_world: Settings) -> Iterator[Gateway]:
    """A gateway in front of a pipeline with the drafts role."""
    with (
        running(signals_world, "drafts"),
        serving(
            signals_world,
            INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="60",
            INTERACTIONS_API_SHOW_STATEMENTS="true",
        ) as found,
    ):
        yield found


@pytest.fixture
def desk(signals_world: Settings, drafts_gateway: Gateway) -> Iterator[Desk]:
    """A user with every feature, in a tenant of the test."""
    with drafts_gateway.client(tenant=new_id(), organization=new_id()) as client:
        yield Desk(client, signals_world, drafts_gateway)
