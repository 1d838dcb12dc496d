"""People set up, watch and repair integrations in a real browser, against the real connectors."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect

from connectors.store.warnings import raise_warning
from runtime.settings import Settings
from tests.acceptance.pages.integration_desk import (
    OPERATOR,
    STATES,
    decided,
    due,
    new_board,
    new_row,
    new_warning,
    rows_of,
    state_of,
    switch_on,
)
from tests.acceptance.pages.person import Person
from tests.harness.gateway import Gateway, serving
from tests.harness.integrations import a_warning
from tests.harness.roles import running, wait_until
from tests.harness.wire import new_id
from tests.providers.radicale_server import PASSWORD, USER, RadicaleServer, radicale
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
_KEY: Final = "k1:" + base64.b64encode(os.urandom(32)).decode()
PATH: Final = "/backend/integrations"


@dataclass(frozen=True)
class Sync:
    settings: Settings
    gateway: Gateway
    server: RadicaleServer


@pytest.fixture(scope="module")
def sync(browser: Browser, embedded_stack: Settings, template_database: str) -> Iterator[Sync]:
    """Applier, relay, connectors, a gateway with their key, and a calendar server."""
    with own_world(embedded_stack, template_database) as settings, ExitStack() as stack:
        server = stack.enter_context(radicale())
        for role in ("applier", "relay"):
            stack.enter_context(running(settings, role))
        connectors = stack.enter_context(
            running(
                settings,
                "connectors",
                INTERACTIONS_SECRETS_KEY=_KEY,
                INTERACTIONS_CONNECTORS_PORT="0",
                INTERACTIONS_CONNECTORS_POLL_SCALE="0.01",
            )
        )
        connectors.wait_for_log("connectors.ready")
        gateway = stack.enter_context(
            serving(settings, INTERACTIONS_API_LOCAL_SIGN_IN="true", INTERACTIONS_SECRETS_KEY=_KEY)
        )
        yield Sync(settings, gateway, server)


@pytest.fixture
def operator(sync: Sync, browser: Browser) -> Iterator[Person]:
    """Someone who operates integrations, in a tenant whose sync is on."""
    with Person.signed_in(browser, sync.gateway, sync.settings, features=OPERATOR) as found:
        switch_on(found)
        yield found
        assert found.faults == []


def test_a_calendar_is_set_up_tested_planned_and_synced(sync: Sync, operator: Person) -> None:
    calendar = sync.server.new_calendar("Set up")
    customer, page = operator.new_customer(), operator.page
    calls = [operator.planned(customer, f"Call {number}", days=number) for number in (1, 2)]
    operator.open("/backend/dashboard")
    page.get_by_role("link", name="Integrations").click()
    expect(page.locator("main")).to_contain_text("No integration is set up yet.")
    page.get_by_role("link", name="Set up CalDAV").click()
    page.get_by_label("URL *").fill(str(calendar.url))
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Add and test").click()
    expect(page.locator(".notice")).to_contain_text("Added.")
    # It is added, its page is open, and the test that failed is shown as such.
    expect(page).to_have_url(re.compile(f"{PATH}/caldav-"))
    expect(page.locator("main")).to_contain_text("Unhealthy")
    expect(page.get_by_role("button", name="Confirm the plan and start")).to_be_disabled()
    page.get_by_role("link", name="Settings", exact=True).click()
    expect(page.get_by_label("Username")).to_have_value(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notice")).to_contain_text("Saved.")
    expect(page.get_by_label("Password")).to_have_value("")
    assert PASSWORD not in page.content()
    assert PASSWORD not in page.evaluate("JSON.stringify(sessionStorage)")
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("button", name="Test the connection").click()
    expect(page.locator(".notice")).to_contain_text("The provider answered.")
    expect(page.locator("main")).to_contain_text("Reachable")
    page.get_by_role("button", name="Make a plan").click()
    expect(page.locator(".plan")).to_contain_text(re.compile(r"will be created at the provider\s*2"))
    assert sync.server.stored(calendar) == 0
    page.get_by_role("button", name="Confirm the plan and start").click()
    expect(page.locator(".notice")).to_contain_text("2 interactions are queued.")
    wait_until(lambda: sync.server.stored(calendar) == 2, 60)
    # The mirrors appear by themselves.
    page.get_by_role("link", name="Ledger").click()
    for call in calls:
        expect(page.locator(f"#l-{call}")).to_contain_text("Synced", timeout=30_000)


def test_refused_settings_are_named_and_the_input_is_kept(operator: Person) -> None:
    page = operator.page
    operator.open(f"{PATH}/add/caldav")
    page.get_by_label("URL *").fill("http://calendar.example.org/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Add and test").click()
    problem = page.locator("#add-caldav .problem")
    expect(problem).to_contain_text("Not saved.")
    expect(problem).to_contain_text("url: ")
    expect(problem).to_contain_text("https://")
    expect(page.get_by_label("URL *")).to_have_value("http://calendar.example.org/")
    page.reload()
    expect(page.get_by_label("URL *")).to_have_value("http://calendar.example.org/")
    expect(page.get_by_label("Password")).to_have_value("")
    with operator.gateway.client(
        tenant=operator.tenant, organization=operator.organization, features=OPERATOR
    ) as client:
        assert client.get("/api/customers/integrations").json()["items"] == []


def synced(
    sync: Sync, operator: Person, name: str, titles: list[str], **policy: Any
) -> tuple[str, Any, list[str]]:
    """A calendar that mirrors planned calls; return the integration, the calendar and the calls."""
    calendar, customer = sync.server.new_calendar(name), operator.new_customer()
    calls = [operator.planned(customer, title, days=1) for title in titles]
    body = {
        "provider": "caldav",
        "settings": {"url": str(calendar.url), "username": USER},
        "secrets": {"password": PASSWORD},
        "policy": policy,
    }
    with operator.gateway.client(
        tenant=operator.tenant, organization=operator.organization, features=OPERATOR
    ) as client:
        added = client.post("/api/customers/integrations", json=body)
        assert added.status_code == 200, added.text
        identity = added.json()["id"]
        assert client.post(f"/api/customers/integrations/{identity}/sync", json={}).status_code == 200
    wait_until(lambda: sync.server.stored(calendar) == len(titles), 60)
    return identity, calendar, calls


@pytest.mark.parametrize("choice", ["Keep ours", "Take theirs"])
def test_a_conflict_shows_both_values_and_is_decided(sync: Sync, operator: Person, choice: str) -> None:
    identity, calendar, [call] = synced(sync, operator, choice, ["Before"])
    page = operator.page
    operator.open(f"{PATH}/{identity}")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".notice")).to_contain_text("Paused.")
    assert state_of(operator, identity) == "paused"
    [todo] = calendar.todos()
    with todo.edit_icalendar_component() as component:
        component["SUMMARY"] = "Theirs"
    todo.save()
    with operator.client() as client:
        body = {"id": call, "title": "Ours"}
        assert client.put("/api/customers/interactions", json=body).status_code == 200
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".notice")).to_contain_text("Resumed.")
    wait_until(lambda: len(decided(operator, identity)) == 1, 60)
    operator.open(f"{PATH}/{identity}?tab=warnings")
    row = page.locator(".rows .row")
    expect(row.locator(".sides > div").first).to_contain_text("Ours")
    expect(row.locator(".sides > div").last).to_contain_text("Theirs")
    row.get_by_role("button", name=choice).click()
    expect(page.locator(".notice")).to_contain_text("1 warning is decided.")
    wanted = "Ours" if choice == "Keep ours" else "Theirs"
    wait_until(lambda: operator.stored(call)["title"] == wanted, 60)
    wait_until(lambda: str(calendar.todos()[0].icalendar_component["SUMMARY"]) == wanted, 60)
    # The page learns by itself that nothing needs a decision any more.
    expect(page.locator("main")).to_contain_text("No warning needs a decision.", timeout=30_000)


def test_a_change_at_the_provider_appears_by_itself(sync: Sync, operator: Person) -> None:
    _, calendar, [call] = synced(sync, operator, "By itself", ["Before"])
    operator.open("/backend/customer-tasks")
    expect(operator.row(call)).to_contain_text("Before")
    [todo] = calendar.todos()
    with todo.edit_icalendar_component() as component:
        component["SUMMARY"] = "From the calendar"
    todo.save()
    expect(operator.row(call)).to_contain_text("From the calendar", timeout=60_000)


def test_many_deletions_wait_for_a_person(sync: Sync, operator: Person) -> None:
    limits = {"most_deletions": 0, "most_deleted_share": 0}
    identity, calendar, [call] = synced(sync, operator, "Deleted", ["Call"], **limits)
    calendar.todos()[0].delete()
    wait_until(lambda: state_of(operator, identity) == "needs_confirmation", 60)
    operator.open(f"{PATH}/{identity}")
    page = operator.page
    expect(page.locator("main")).to_contain_text("Many objects were deleted at the provider")
    button = page.get_by_role("button", name="Apply the deletions")
    button.click()
    # The browser asks for the tick; the route refuses a request without it as well.
    assert state_of(operator, identity) == "needs_confirmation"
    assert operator.stored(call)["status"] == "planned"
    page.evaluate("document.querySelector('#confirm [name=intended]').required = false")
    button.click()
    expect(page.locator("#confirm .problem")).to_contain_text(
        "Confirm first that the deletions are intended."
    )
    assert state_of(operator, identity) == "needs_confirmation"
    page.get_by_label("the deletions are intended").check()
    button.click()
    expect(page.locator(".notice")).to_contain_text("Started.")
    expect(page.locator("#confirm")).to_have_count(0)
    wait_until(lambda: operator.stored(call)["status"] == "canceled", 60)


def test_a_plain_start_shows_the_deletions_and_the_form_that_confirms_them(
    sync: Sync, operator: Person
) -> None:
    limits = {"most_deletions": 0, "most_deleted_share": 0}
    identity, calendar, [call] = synced(sync, operator, "Held back", ["Call"], **limits)
    operator.open(f"{PATH}/{identity}")
    operator.page.get_by_role("button", name="Pause").click()
    expect(operator.page.locator(".notice")).to_contain_text("Paused.")
    calendar.todos()[0].delete()
    operator.page.get_by_role("button", name="Sync everything now").click()
    expect(operator.page.locator("#confirm")).to_be_visible()
    assert operator.stored(call)["status"] == "planned"
    assert state_of(operator, identity) == "paused"


def test_each_count_equals_the_ledger_that_it_opens(operator: Person) -> None:
    board = new_board(operator)
    for number, columns in enumerate(STATES.values(), 1):
        for _ in range(number):
            new_row(operator, board, new_id(), columns)
    for opened in (PATH, f"{PATH}/{board}?tab=ledger"):
        operator.open(opened)
        chips = operator.page.locator("a[data-count][href*='tab=ledger']")
        counts = {chip.get_attribute("href"): chip.get_attribute("data-count") for chip in chips.all()}
        assert len(counts) == (3 if opened == PATH else 5)
        for address, count in counts.items():
            operator.open(address or "")
            expect(operator.page.locator("[data-row]")).to_have_count(int(count or 0))


def test_rows_are_retried_one_by_one_some_and_all_that_match(operator: Person) -> None:
    board, page = new_board(operator), operator.page
    made = {
        state: [new_row(operator, board, new_id(), STATES[state]) for _ in range(3)]
        for state in ("failing", "blocked")
    }
    one, two, three = made["blocked"]
    operator.open(f"{PATH}/{board}?tab=ledger&state=blocked")
    expect(page.locator(f"#l-{one}")).to_contain_text("too_long: refused")
    page.locator(f"#l-{one}").get_by_role("button", name="Retry").click()
    expect(page.locator(".notice")).to_contain_text("1 row is due now.")
    expect(page.locator(f"#l-{one}")).to_have_count(0)
    assert due(operator, board) == {one}
    page.get_by_role("button", name="Retry the ticked rows").click()
    expect(page.locator("#ledger .problem")).to_contain_text("Tick at least one row.")
    page.locator(f"#l-{two} input").check()
    # A refresh keeps the tick.
    with page.expect_response(
        lambda response: response.url.endswith("state=blocked") or "done=" in response.url
    ):
        page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.locator(f"#l-{two} input")).to_be_checked()
    page.get_by_role("button", name="Retry the ticked rows").click()
    expect(page.locator(f"#l-{two}")).to_have_count(0)
    assert due(operator, board) == {one, two}
    operator.open(f"{PATH}/{board}?tab=ledger&state=failing")
    page.get_by_role("button", name="Retry all 3 rows that match").click()
    expect(page.locator(".notice")).to_contain_text("3 rows are due now.")
    assert due(operator, board) == {one, two, *made["failing"]}
    assert three not in due(operator, board)


def test_enter_in_a_list_decides_nothing(operator: Person) -> None:
    board, page = new_board(operator), operator.page
    warning = new_warning(operator, board, new_id())
    operator.open(f"{PATH}/{board}?tab=warnings")
    posts: list[str] = []
    page.on("request", lambda it: posts.append(it.url) if it.method == "POST" else None)
    page.locator(f"#w-{warning} input").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    expect(page.locator(f"#w-{warning} input")).to_be_checked()
    assert posts == []
    assert decided(operator, board) == {warning: None}


def test_enter_without_script_asks_for_a_button(sync: Sync, browser: Browser) -> None:
    with Person.signed_in(
        browser, sync.gateway, sync.settings, features=OPERATOR, java_script_enabled=False
    ) as operator:
        switch_on(operator)
        board, page = new_board(operator), operator.page
        warning = new_warning(operator, board, new_id())
        page.goto(f"{operator.gateway.url}{PATH}/{board}?tab=warnings")
        page.locator(f"#w-{warning} input").focus()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_contain_text("Press the button of an action.")
        assert decided(operator, board) == {warning: None}


def test_warnings_are_decided_together_by_the_values_that_were_shown(operator: Person) -> None:
    board, page = new_board(operator), operator.page
    calls = [operator.planned(operator.new_customer(), f"Call {number}", days=1) for number in range(3)]
    first, second, third = (new_warning(operator, board, call) for call in calls)
    operator.open(f"{PATH}/{board}?tab=warnings")
    expect(page.locator(f"#w-{first}")).to_contain_text("Call 0")
    expect(page.locator("[data-row]")).to_have_count(3)
    # The third changes while it is looked at, and the page does not learn of it.
    page.context.route(
        "**/*",
        lambda route: (
            route.fulfill(status=204) if "x-refresh" in route.request.headers else route.continue_()
        ),
    )
    with rows_of(operator) as connection:
        raise_warning(
            connection,
            a_warning(board, operator.tenant, operator.organization, calls[2], remote_value="newer"),
        )
    for warning in (second, third):
        page.locator(f"#w-{warning} input").check()
    page.locator(".bar").get_by_role("button", name="Keep ours").click()
    expect(page.locator(".notice")).to_contain_text("Decided, except for 1 that was changed")
    assert decided(operator, board) == {first: None, second: "take_local", third: None}
    expect(page.locator(f"#w-{second}")).to_contain_text("Decided, being carried out: Keep ours")
    expect(page.locator(f"#w-{third}")).to_contain_text("newer")


def test_hostile_texts_of_a_provider_are_shown_as_text(operator: Person) -> None:
    hostile = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e"
    board = new_board(operator, state="disabled", reason=hostile + "r" * 2_000)
    call = operator.planned(operator.new_customer(), hostile, days=1)
    columns = "parked = TRUE, next_attempt_at = NULL, attempts = 9, last_error = repeat('<b>x', 500)"
    new_row(operator, board, call, columns)
    with rows_of(operator) as connection:
        connection.execute(
            "INSERT INTO sync_external_id_mappings (integration_id, local_id, tenant_id, organization_id,"
            " external_id, external_url, base) VALUES (%s, %s, %s, %s, %s, 'javascript:alert(1)', '{}')",
            (board, call, operator.tenant, operator.organization, "<i>card</i>" + "c" * 300),
        )
        connection.execute(
            "UPDATE integrations SET healthy = FALSE, health_at = now(), health_detail = %s WHERE id = %s",
            (hostile, board),
        )
    new_warning(
        operator,
        board,
        call,
        local_value=hostile,
        remote_value="y" * 10_000,
        detail=hostile,
        field=hostile[:50],
    )
    width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for size in ({"width": 1440, "height": 900}, {"width": 390, "height": 844}):
        operator.page.set_viewport_size(size)  # type: ignore[arg-type]
        for tab in ("overview", "warnings", "ledger", "settings"):
            operator.open(f"{PATH}/{board}?tab={tab}")
            assert "owned" not in operator.page.title()
            assert operator.page.evaluate(width) == 0, (tab, size)
    operator.open(f"{PATH}/{board}?tab=ledger")
    expect(operator.page.locator("a[href^=javascript]")).to_have_count(0)
    operator.open(PATH)
    expect(operator.page.locator(f"#in-{board}")).to_contain_text("<script>")


def test_an_integration_is_removed_after_a_second_look(operator: Person) -> None:
    board, page = new_board(operator), operator.page
    operator.open(f"{PATH}/{board}?tab=settings")
    page.get_by_text("Remove …").click()
    page.get_by_role("button", name="Remove it for good").click()
    expect(page.locator(".notice")).to_contain_text("Removed.")
    expect(page.locator(f"#in-{board}")).to_have_count(0)
    assert state_of(operator, board) is None


def test_without_script_every_form_works(sync: Sync, browser: Browser) -> None:
    with Person.signed_in(
        browser, sync.gateway, sync.settings, features=OPERATOR, java_script_enabled=False
    ) as person:
        switch_on(person)
        board, page = new_board(person), person.page
        rows = [new_row(person, board, new_id(), STATES["blocked"]) for _ in range(3)]
        warning = new_warning(person, board, new_id())
        page.goto(f"{sync.gateway.url}{PATH}/{board}")
        page.get_by_role("button", name="Pause").click()
        expect(page.locator(".notice")).to_contain_text("Paused.")
        assert state_of(person, board) == "paused"
        page.goto(f"{sync.gateway.url}{PATH}/{board}?tab=ledger")
        for row in rows[:2]:
            page.locator(f"#l-{row} input").check()
        page.get_by_role("button", name="Retry the ticked rows").click()
        expect(page.locator(".notice")).to_contain_text("2 rows are due now.")
        assert due(person, board) == set(rows[:2])
        page.goto(f"{sync.gateway.url}{PATH}/{board}?tab=warnings")
        page.locator(f"#w-{warning}").get_by_role("button", name="Take theirs").click()
        expect(page.locator(".notice")).to_contain_text("1 warning is decided.")
        assert decided(person, board) == {warning: "take_remote"}
        page.goto(f"{sync.gateway.url}{PATH}/add/trello")
        page.get_by_label("Board ID *").fill("b1")
        page.get_by_label("API key").fill("a key that is secret")
        page.get_by_role("button", name="Add and test").click()
        expect(page.get_by_role("alert")).to_contain_text("Not saved.")
        assert "a key that is secret" not in page.content()


def test_connectors_that_do_not_run_confirm_nothing(
    browser: Browser, embedded_stack: Settings, template_database: str
) -> None:
    with (
        own_world(embedded_stack, template_database) as settings,
        serving(
            settings,
            INTERACTIONS_API_LOCAL_SIGN_IN="true",
            INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="2",
        ) as gateway,
        Person.signed_in(browser, gateway, settings, features=OPERATOR) as person,
    ):
        board = new_board(person)
        person.open(f"{PATH}/{board}")
        for name in ("Pause", "Make a plan"):
            person.page.get_by_role("button", name=name).click()
            slot = person.page.locator("form", has=person.page.get_by_role("button", name=name))
            expect(slot.locator(".problem")).to_contain_text("Not known yet")
            expect(person.page.locator(".notice")).to_have_count(0)
        assert state_of(person, board) == "active"


def test_others_see_nothing_and_readers_change_nothing(
    sync: Sync, operator: Person, browser: Browser
) -> None:
    board = new_board(operator)
    new_row(operator, board, new_id(), STATES["blocked"])
    scope = {"tenant": operator.tenant, "organization": operator.organization}
    with Person.signed_in(browser, sync.gateway, sync.settings, features=OPERATOR) as foreign:
        answer = foreign.page.goto(f"{sync.gateway.url}{PATH}/{board}")
        assert answer is not None
        assert answer.status == 404
    features = ("customers.view",)
    with Person.signed_in(browser, sync.gateway, sync.settings, features=features, **scope) as reader:
        reader.open(f"{PATH}/{board}?tab=ledger")
        expect(reader.page.locator("[data-row]")).to_have_count(1)
        expect(reader.page.locator("main form")).to_have_count(0)
        expect(reader.page.locator(".nav a", has_text="Integrations")).to_have_count(0)
        answer = reader.page.goto(f"{sync.gateway.url}{PATH}/add/caldav")
        assert answer is not None
        assert answer.status == 403
    features = ("customers.create",)
    with Person.signed_in(browser, sync.gateway, sync.settings, features=features, **scope) as stranger:
        answer = stranger.page.goto(f"{sync.gateway.url}{PATH}")
        assert answer is not None
        assert answer.status == 403
        expect(stranger.page.get_by_role("alert")).to_contain_text("customers.integrations.manage")
