"""A page claims nothing that is not committed, whatever fails between the click and the outcome."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator, expect

from runtime.settings import Settings
from tests.acceptance.pages.person import Person
from tests.harness.gateway import Gateway, serving
from tests.harness.roles import Role, running
from tests.harness.tcp_proxy import TcpProxy
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@dataclass(frozen=True)
class Pipeline:
    settings: Settings
    applier: Role


@pytest.fixture(scope="module")
def pipeline(browser: Browser, embedded_stack: Settings, template_database: str) -> Iterator[Pipeline]:
    """An applier that the tests may stop; only where there is a browser."""
    with own_world(embedded_stack, template_database) as settings, running(settings, "applier") as applier:
        yield Pipeline(settings, applier)


@pytest.fixture
def impatient(pipeline: Pipeline) -> Iterator[Gateway]:
    """A gateway that waits two seconds for an outcome."""
    with serving(
        pipeline.settings,
        INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="2",
        INTERACTIONS_API_LOCAL_SIGN_IN="true",
    ) as found:
        yield found


@pytest.fixture
def someone(browser: Browser, pipeline: Pipeline, impatient: Gateway) -> Iterator[Person]:
    with Person.signed_in(browser, impatient, pipeline.settings) as found:
        yield found


def begin_a_plan(someone: Person, title: str) -> Locator:
    """Fill the form of a new customer's page; return it."""
    someone.open(f"/backend/customers/people/{someone.new_customer()}")
    someone.page.locator("#plan > summary").click()
    form = someone.page.locator("form[id^=plan-]")
    form.get_by_label("Title").fill(title)
    return form


def titles(someone: Person) -> list[str]:
    with someone.client() as client:
        return [row["title"] for row in client.get("/api/customers/interactions").json()["items"]]


def test_a_late_outcome_is_shown_as_it_arrives(pipeline: Pipeline, someone: Person) -> None:
    form = begin_a_plan(someone, "Late")
    pipeline.applier.process.send_signal(signal.SIGSTOP)
    try:
        form.get_by_role("button", name="Save").click()
        expect(form.locator(".problem")).to_contain_text("Not known yet whether it is saved.")
        expect(form.get_by_label("Title")).to_have_value("Late")
        expect(someone.page.locator(".notice")).to_have_count(0)
    finally:
        pipeline.applier.process.send_signal(signal.SIGCONT)
    expect(form.locator(".problem")).to_contain_text("It is saved.", timeout=60_000)
    assert titles(someone) == ["Late"]


def test_repeating_an_unknown_change_has_one_effect(pipeline: Pipeline, someone: Person) -> None:
    form = begin_a_plan(someone, "Twice")
    pipeline.applier.process.send_signal(signal.SIGSTOP)
    try:
        form.get_by_role("button", name="Save").click()
        expect(form.locator(".problem")).to_contain_text("Not known yet")
    finally:
        pipeline.applier.process.send_signal(signal.SIGCONT)
    form.get_by_role("button", name="Save").click()
    expect(someone.page.locator(".notice")).to_contain_text("Saved.")
    assert titles(someone) == ["Twice"]


def test_a_gateway_killed_between_click_and_outcome(pipeline: Pipeline, someone: Person) -> None:
    form = begin_a_plan(someone, "Typed with care")
    pipeline.applier.process.send_signal(signal.SIGSTOP)
    try:
        with someone.page.expect_request(lambda request: request.method == "POST"):
            form.get_by_role("button", name="Save").click()
        someone.gateway.role.kill()
    finally:
        pipeline.applier.process.send_signal(signal.SIGCONT)
    expect(form.locator(".problem")).to_contain_text("The server did not answer, so nothing is confirmed.")
    expect(form.get_by_label("Title")).to_have_value("Typed with care")
    expect(someone.page.locator("#offline")).to_contain_text("Not live since")
    expect(someone.page.locator(".notice")).to_have_count(0)


def test_a_frozen_broker(browser: Browser, pipeline: Pipeline) -> None:
    address = str(pipeline.settings.kafka_bootstrap_servers)
    with TcpProxy(int(address.rpartition(":")[2]), kafka=True) as proxy:
        frozen = pipeline.settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{proxy.port}"})
        with (
            serving(
                frozen,
                INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="2",
                INTERACTIONS_API_LOCAL_SIGN_IN="true",
            ) as gateway,
            Person.signed_in(browser, gateway, pipeline.settings) as someone,
        ):
            form = begin_a_plan(someone, "Frozen")
            proxy.silence()
            form.get_by_role("button", name="Save").click()
            expect(form.locator(".problem")).to_contain_text("Not known yet whether it is saved.")
            expect(form.get_by_label("Title")).to_have_value("Frozen")
            expect(someone.page.locator(".notice")).to_have_count(0)
            proxy.heal()
            # The form's key makes a repetition safe, also when the first one arrives late.
            form.get_by_role("button", name="Save").click()
            expect(someone.page.locator(".notice")).to_contain_text("Saved.", timeout=60_000)
            assert titles(someone) == ["Frozen"]


def test_a_session_that_ends_keeps_the_typed_text(someone: Person) -> None:
    form = begin_a_plan(someone, "Still here")
    other = someone.page.context.new_page()
    other.goto(f"{someone.gateway.url}/backend/settings")
    other.get_by_role("button", name="Sign out").click()
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".problem")).to_contain_text("your session has ended")
    expect(form.get_by_label("Title")).to_have_value("Still here")
    assert titles(someone) == []
    shown, someone.page = someone.page, other
    someone.sign_in()
    someone.page = shown
    other.close()
    # The page gets the token of the new session as it is looked at.
    token = form.locator("input[name=csrf]")
    before = token.get_attribute("value")
    shown.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(token).not_to_have_attribute("value", before or "")
    form.get_by_role("button", name="Save").click()
    expect(shown.locator(".notice")).to_contain_text("Saved.")
    assert titles(someone) == ["Still here"]


def test_two_browsers_at_once(browser: Browser, pipeline: Pipeline, someone: Person) -> None:
    call = someone.planned(someone.new_customer(), "Call", days=-1)
    with Person.signed_in(
        browser,
        someone.gateway,
        pipeline.settings,
        tenant=someone.tenant,
        organization=someone.organization,
        user="44444444-4444-4444-8444-444444444444",
    ) as second:
        for person in (someone, second):
            person.open("/backend/customer-tasks")
            expect(person.row(call)).to_have_count(1)
        someone.row(call).get_by_role("button", name="Complete").click()
        expect(someone.page.locator(".notice")).to_contain_text("Marked as done.")
        expect(second.row(call)).to_have_count(0)
        # The bar belongs to the one who did it.
        expect(second.page.locator(".notice")).to_have_count(0)


def test_the_live_connection_recovers(pipeline: Pipeline, browser: Browser) -> None:
    with serving(pipeline.settings, INTERACTIONS_API_LOCAL_SIGN_IN="true") as first:
        port = first.url.rpartition(":")[2]
        with Person.signed_in(browser, first, pipeline.settings) as someone:
            customer = someone.new_customer()
            someone.open("/backend/customer-tasks")
            first.role.kill()
            expect(someone.page.locator("#offline")).to_be_visible()
            with serving(
                pipeline.settings, INTERACTIONS_API_LOCAL_SIGN_IN="true", INTERACTIONS_API_PORT=port
            ) as again:
                someone.gateway = again
                call = someone.planned(customer, "Meanwhile", days=-1)
                expect(someone.row(call)).to_have_count(1, timeout=60_000)
                expect(someone.page.locator("#offline")).to_be_hidden(timeout=60_000)
