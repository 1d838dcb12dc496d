"""Operators see figures, decide on dead letters, and switch flags, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from sinks.jobs.store import claim_job, create_job, save_job
from sinks.legacy_tables import lift_freeze
from tests.acceptance.pages.person import Person
from tests.harness.gateway import ALL_FEATURES, Gateway
from tests.harness.roles import wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import Raw, new_id, publish, wait_for_results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
LETTERS = "/backend/operations/dead-letters"
SECRET_TEXT = "a customer's secret title"
_MIXED = b"\x00\x7f\xff\xff\x00rest"


@pytest.fixture
def operator(world: Settings, pages: Gateway, browser: Browser) -> Iterator[Person]:
    """Someone with every feature of a tenant, but not the deployment's operator."""
    with Person.signed_in(browser, pages, world, features=["customers.*", "audit_logs.undo_self"]) as found:
        yield found
        assert found.faults == []


@pytest.fixture
def connection(world: Settings) -> Iterator[Connection]:
    with connect(world, application_name="test", autocommit=True) as found:
        yield found


def undecodable(person: Person, count: int = 1, value: bytes | None = None) -> list[str]:
    """Publish commands that cannot be decoded; return their ids once their results are there."""
    ids, records = [], []
    for _ in range(count):
        identity, entity = new_id(), new_id()
        attributes = {
            "id": identity,
            "specversion": "1.0",
            "source": "/tests",
            "type": "customers.interaction.create",
            "tenantid": person.tenant,
            "organizationid": person.organization,
            "entityid": entity,
        }
        headers = tuple((f"ce_{name}", text.encode()) for name, text in attributes.items())
        content = value if value is not None else f'{{"title": "{SECRET_TEXT}"'.encode()
        records.append(Raw(entity.encode(), content, headers))
        ids.append(identity)
    wait_for_results(person.settings, publish(person.settings, records))
    with person.gateway.client(
        tenant=person.tenant, organization=person.organization, features=["customers.dead_letters.view"]
    ) as client:

        def known() -> bool:
            groups = client.get("/api/customers/dead-letters").json()["items"]
            found = [
                letter["commandId"]
                for group in groups
                for letter in client.get(
                    f"/api/customers/dead-letters/{group['group']}", params={"limit": 100}
                ).json()["items"]
            ]
            return set(ids) <= set(found)

        wait_until(known, 30)
    return ids


def tab(person: Person, name: str) -> Locator:
    return person.page.locator("nav.chips").get_by_role("link", name=re.compile(name))


def sent(person: Person, identity: str) -> int:
    """Number of records of the commands topic with this id."""
    records = read_topic(person.settings, "customers.interactions.commands")
    return sum(record.headers.get("ce_id") == identity for record in records)


def test_figures_lag_and_the_verdict(operator: Person) -> None:
    page = operator.page
    operator.open("/backend/operations")
    expect(page.locator("nav.nav [aria-current]")).to_have_text("Operations")
    expect(page.locator("#chart-commands")).to_be_visible(timeout=40_000)
    expect(page.locator("[data-verdict]")).to_have_attribute("data-verdict", "unwatched")
    expect(page.locator("section[aria-labelledby=partitions] tbody tr")).to_have_count(6)
    operator.new_customer()
    chart = page.locator("#chart-outcomes")
    # The page follows by itself.
    expect(chart.locator(".bars .bar-applied").last).to_be_attached(timeout=60_000)
    chart.get_by_text("Show as table").click()
    expect(chart.locator("tbody tr").first).to_contain_text(re.compile(r"\d\d:\d\d"))
    bars = [text.partition(": ")[0] for text in chart.locator("g title").all_text_contents()]
    assert set(bars) <= set(chart.locator("tbody th").all_text_contents())


def test_a_violation_is_red(operator: Person, connection: Connection) -> None:
    connection.execute(
        "INSERT INTO integrity_violations (id, tenant_id, organization_id, check_name, entity_id,"
        " subject, subject_id, what) VALUES (%s, %s, %s, 'A14', %s, 'interaction', %s, %s)",
        (new_id(), operator.tenant, operator.organization, new_id(), new_id(), "row 1 is missing"),
    )
    try:
        operator.open("/backend/operations")
        verdict = operator.page.locator("[data-verdict]")
        expect(verdict).to_have_attribute("data-verdict", "violated")
        expect(verdict).to_contain_text("1 open violation.")
        expect(verdict).to_contain_text("row 1 is missing")
    finally:
        connection.execute("DELETE FROM integrity_violations WHERE tenant_id = %s", (operator.tenant,))


def test_jobs_show_their_progress(operator: Person, connection: Connection) -> None:
    job, kind = new_id(), f"k{new_id()}"
    create_job(connection, job, kind, tenant_id=operator.tenant, organization_id=None)
    operator.open("/backend/operations")
    row = operator.page.locator(f"#job-{job}")
    expect(row).to_contain_text("Waiting")
    assert claim_job(connection, [kind]) is not None
    save_job(connection, job, cursor=None, done=300, total=900, report={}, seconds=3.0)
    operator.page.reload()
    expect(row).to_contain_text("300 of 900 rows")
    expect(row).to_contain_text("100 rows/s")
    expect(row.locator("progress")).to_have_js_property("value", 300)


def test_one_failure_is_one_row_and_its_content_is_not_shown(operator: Person) -> None:
    undecodable(operator, 3)
    undecodable(operator, 1, _MIXED)
    page = operator.page
    operator.open(LETTERS)
    rows = page.locator("main [data-row]")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Cannot be decoded")
    expect(rows.first.locator(".badge")).to_have_text("3")
    expect(rows.last).to_contain_text("Unknown schema")
    expect(tab(operator, "Open")).to_have_attribute("data-count", "4")
    rows.first.get_by_role("link").click()
    expect(page.locator("main [data-row]")).to_have_count(3)
    assert SECRET_TEXT not in page.content()


def test_one_and_all_that_match_are_decided(operator: Person) -> None:
    undecodable(operator, 3)
    undecodable(operator, 1, _MIXED)
    page = operator.page
    operator.open(LETTERS)
    page.locator("main [data-row]").first.get_by_role("link").click()
    page.locator("main [data-row]").first.get_by_role("button", name="Archive").click()
    expect(page.locator(".notice")).to_contain_text("1 archived.")
    expect(page.locator("main [data-row]")).to_have_count(2)
    page.get_by_text("Decide all 2").click()
    page.locator(".menu-body").get_by_role("button", name="Discard").click()
    expect(page.locator(".notice")).to_contain_text("2 discarded.")
    expect(page.locator("main")).to_contain_text("This failure has none in this state.")
    page.get_by_role("link", name="All failures").click()
    expect(page.locator("main [data-row]")).to_have_count(1)
    tab(operator, "Discarded").click()
    expect(page.locator("main [data-row]").locator(".badge")).to_have_text("2")
    page.get_by_text("Decide all 2").click()
    page.locator(".menu-body").get_by_role("button", name="Reopen").click()
    expect(page.locator(".notice")).to_contain_text("2 reopened.")
    tab(operator, "Open").click()
    expect(tab(operator, "Open")).to_have_attribute("data-count", "3")


def test_a_replay_is_sent_once_and_its_limit_is_explained(operator: Person) -> None:
    [identity] = undecodable(operator)
    page = operator.page
    for replays in range(1, 4):
        operator.open(LETTERS)
        page.locator("main [data-row]").first.get_by_role("link").click()
        page.locator("main [data-row]").get_by_role("button", name="Replay").click()
        expect(page.locator(".notice")).to_contain_text("1 replayed.")
        assert sent(operator, identity) == replays + 1
        wait_until(lambda: open_letters(operator) == 1, 30)
    operator.open(LETTERS)
    page.locator("main [data-row]").first.get_by_role("link").click()
    row = page.locator("main [data-row]")
    expect(row).to_contain_text("Replayed 3 times of 3")
    row.get_by_role("button", name="Replay").click()
    expect(row.locator(".problem")).to_contain_text("Nothing was changed.")
    expect(row.locator(".problem")).to_contain_text("replayed as often as allowed")
    assert sent(operator, identity) == 4


def test_a_decision_that_was_made_meanwhile_is_kept(operator: Person) -> None:
    [identity] = undecodable(operator)
    page = operator.page
    operator.open(LETTERS)
    page.locator("main [data-row]").first.get_by_role("link").click()
    with operator.gateway.client(
        tenant=operator.tenant, organization=operator.organization, features=["customers.*"]
    ) as client:
        body = {"all": True}
        assert client.post("/api/customers/dead-letters/archive", json=body).status_code == 200
    row = page.locator("main [data-row]")
    row.get_by_role("button", name="Replay").click()
    expect(row.locator(".problem")).to_contain_text("decided in the meantime")
    assert sent(operator, identity) == 1


def open_letters(person: Person) -> int:
    with person.gateway.client(
        tenant=person.tenant, organization=person.organization, features=["customers.dead_letters.view"]
    ) as client:
        return sum(group["count"] for group in client.get("/api/customers/dead-letters").json()["items"])


def test_everything_works_without_script(operator: Person, browser: Browser) -> None:
    undecodable(operator, 2)
    with operator.another(
        browser,
        features=["customers.*"],
        java_script_enabled=False,
    ) as plain:
        page = plain.page
        page.goto(plain.gateway.url + LETTERS)
        page.get_by_text("Decide all 2").click()
        page.locator(".menu-body").get_by_role("button", name="Archive").click()
        expect(page.locator(".notice")).to_contain_text("2 archived.")
        expect(page.locator("main")).to_contain_text("No open dead letters.")
        page.goto(plain.gateway.url + "/backend/operations")
        expect(page.locator("h1")).to_have_text("Operations")


def test_without_the_features_nothing_leads_there(person: Person) -> None:
    page = person.page
    person.open("/backend/dashboard")
    expect(page.locator("nav.nav").get_by_role("link", name="Operations")).to_have_count(0)
    for path, feature in (
        ("/backend/operations", "customers.operations.view"),
        (LETTERS, "customers.dead_letters.view"),
    ):
        answer = page.goto(person.gateway.url + path)
        assert answer is not None
        assert answer.status == 403
        expect(page.locator(".message")).to_contain_text(feature)


def test_who_may_only_look_gets_no_buttons(operator: Person, browser: Browser) -> None:
    undecodable(operator)
    with operator.another(
        browser,
        features=[*ALL_FEATURES, "customers.dead_letters.view"],
    ) as looker:
        looker.open(LETTERS)
        expect(looker.page.locator("nav.nav [aria-current]")).to_have_text("Operations")
        expect(looker.page.locator("main [data-row]")).to_have_count(1)
        expect(looker.page.locator("main").get_by_role("button")).to_have_count(0)


def test_a_flag_is_switched_and_says_why_it_cannot_be(
    operator: Person, browser: Browser, connection: Connection
) -> None:
    page = operator.page
    operator.open("/backend/settings")
    flag = page.locator("#flag-legacy_adapters")
    expect(page.locator("main")).not_to_contain_text("old activities or to-dos")
    expect(flag.locator(".badge")).to_have_text("On")
    flag.get_by_role("button", name="Turn off").click()
    expect(page.locator(".notice")).to_contain_text("Switched.")
    expect(flag.locator(".badge")).to_have_text("Off")
    expect(flag).to_contain_text("set explicitly")
    with operator.client() as client:
        assert client.get("/api/customers/activities").status_code == 410
    with connection.transaction():
        lift_freeze(connection)
        connection.execute(
            "INSERT INTO customer_activities (id, organization_id, tenant_id, entity_id, activity_type,"
            " created_at, updated_at)"
            " VALUES (gen_random_uuid(), %s, %s, gen_random_uuid(), 'call', now(), now())",
            (operator.organization, operator.tenant),
        )
    # The pages of tasks and customers say that rows are missing.
    for path in ("/backend/dashboard", "/backend/customer-tasks", "/backend/customers/people"):
        operator.open(path)
        expect(page.locator("main")).to_contain_text("old activities or to-dos")
    mirror = page.locator("#flag-external_sync")
    operator.open("/backend/settings")
    expect(mirror.get_by_role("button")).to_be_disabled()
    expect(mirror).to_contain_text("no parity check has passed")
    with operator.another(
        browser,
    ) as reader:
        reader.open("/backend/settings")
        switches = reader.page.locator("[id^=flag-]")
        expect(switches).to_have_count(3)
        expect(switches.get_by_role("button", disabled=True)).to_have_count(3)
        expect(switches.first).to_contain_text("requires the feature customers.flags.manage")
