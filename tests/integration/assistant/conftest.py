"""One pipeline with a gateway for all of these tests, and an assistant per transport and protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from tests.harness.assistant import Assistant, connected, over_http, over_stdio
from tests.harness.gateway import Gateway, serving, token
from tests.harness.roles import running
from tests.harness.wire import new_id
from tests.integration.api.signal_desk import Desk
from tests.stack_fixtures import own_world

CONNECTIONS = ("http-auto", "http-legacy", "stdio-auto", "stdio-legacy")


@dataclass(frozen=True)
class Office:
    """A user's assistant, and the same user's HTTP client with the database behind it."""

    assistant: Assistant
    desk: Desk
    connection: str

    def outcome(self, command_id: str) -> str | None:
        """The outcome of a command in the journal."""
        with connect(self.desk.settings, application_name="tests") as connection:
            row = connection.execute(
                "SELECT outcome FROM journal WHERE command_id = %s", (command_id,)
            ).fetchone()
        return None if row is None else str(row[0])


@pytest.fixture(scope="session")
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """A pipeline with the drafts role."""
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        running(settings, "relay"),
        running(settings, "drafts"),
    ):
        yield settings


@pytest.fixture(scope="session")
def gateway(world: Settings) -> Iterator[Gateway]:
    with serving(world, INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="60") as found:
        yield found


@pytest.fixture(scope="session", params=CONNECTIONS)
def office(
    request: pytest.FixtureRequest,
    world: Settings,
    gateway: Gateway,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Office]:
    """An assistant per transport and protocol mode, each in a tenant of its own."""
    transport, mode = request.param.split("-")
    scope: dict[str, Any] = {"tenant": new_id(), "organization": new_id()}
    if transport == "http":
        url = f"{gateway.url}/mcp"
        connection = over_http(url, token(**scope, aud=url), mode)
    else:
        variables = {"INTERACTIONS_MCP_URL": gateway.url, "INTERACTIONS_MCP_TOKEN": token(**scope)}
        connection = over_stdio(variables, tmp_path_factory.mktemp("mcp") / "log", mode)
    with connected(connection) as assistant, gateway.client(**scope) as client:
        yield Office(assistant, Desk(client, world, gateway), request.param)


@pytest.fixture
def person(office: Office) -> str:
    """A customer of the test."""
    return office.desk.create("/api/customers/people", displayName="Ada Byron")


@pytest.fixture
def anonymous(gateway: Gateway) -> Iterator[httpx2.Client]:
    """A client without a token."""
    with httpx2.Client(base_url=gateway.url, timeout=30) as found:
        yield found
