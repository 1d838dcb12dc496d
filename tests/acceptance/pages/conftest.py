"""A gateway with pages in front of a whole pipeline, and a person who is signed in with a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser

from runtime.settings import Settings
from tests.acceptance.pages.person import Person
from tests.harness.chromium import chromium
from tests.harness.gateway import Gateway, serving
from tests.harness.roles import running
from tests.stack_fixtures import own_world


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this folder; each person has a profile of their own."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="package")
def world(browser: Browser, embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """Applier, relay and drafts; only where there is a browser."""
    with own_world(embedded_stack, template_database) as settings, ExitStack() as roles:
        for role in ("applier", "relay", "drafts"):
            roles.enter_context(running(settings, role))
        yield settings


@pytest.fixture(scope="package")
def pages(world: Settings) -> Iterator[Gateway]:
    """The gateway, with the local sign-in."""
    with serving(world, INTERACTIONS_API_LOCAL_SIGN_IN="true") as found:
        yield found


@pytest.fixture
def person(world: Settings, pages: Gateway, browser: Browser) -> Iterator[Person]:
    """Someone with every feature in a tenant of the test, signed in, in Berlin."""
    with Person.signed_in(browser, pages, world) as found:
        yield found
        assert found.faults == []
