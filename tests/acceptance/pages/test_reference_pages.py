"""The reference of the interfaces in a browser that is not signed in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.harness.gateway import Gateway

pytestmark = pytest.mark.integration


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def reader(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A browser without a session; no error of a script and no violation of the policy is ever right."""
    context = browser.new_context(java_script_enabled=request.param, locale="en-GB")
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    yield page
    context.close()
    assert faults == []


def test_an_operation_is_found_by_its_name(pages: Gateway, reader: Page) -> None:
    reader.goto(f"{pages.url}/docs/api")
    reader.get_by_label("Find an operation").fill("complete_interaction")
    reader.get_by_role("button", name="Search").click()
    reader.get_by_role("link", name="/api/customers/interactions/complete").click()
    expect(reader.get_by_role("heading", level=1)).to_have_text("POST /api/customers/interactions/complete")
    reader.get_by_role("link", name="NextStep").click()
    table = reader.get_by_role("region", name="NextStep")
    expect(table.get_by_role("row").filter(has_text="interactionType")).to_contain_text(
        "at most 100 characters"
    )


def test_a_message_is_found_by_its_name(pages: Gateway, reader: Page) -> None:
    reader.goto(f"{pages.url}/docs/events")
    reader.get_by_label("Find a message").fill("interaction.completed")
    reader.get_by_role("button", name="Search").click()
    reader.get_by_role("link", name="customers.interaction.completed").click()
    expect(reader.get_by_role("heading", level=1)).to_have_text("customers.interaction.completed")
    reader.get_by_role("link", name="InteractionEvent").click()
    fields = reader.get_by_role("region", name="InteractionEvent")
    expect(fields.get_by_role("row").filter(has_text="entityVersion")).to_contain_text("integer")
