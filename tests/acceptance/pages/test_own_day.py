"""The count of due tasks on every page and in its title, and the progress of a person's day."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, expect

from runtime.settings import Settings
from tests.acceptance.pages.person import Person
from tests.harness.gateway import USER, Gateway

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def badge(person: Person) -> Locator:
    return person.page.locator("#due")


def complete(person: Person, call: str) -> None:
    with person.client() as client:
        assert client.post("/api/customers/interactions/complete", json={"id": call}).status_code == 200


def test_every_page_counts_what_is_due_and_follows_changes(person: Person) -> None:
    customer = person.new_customer()
    person.open("/backend/customers/people")
    expect(badge(person)).to_be_hidden()
    expect(person.page).to_have_title(re.compile("^People"))
    mine = [person.planned(customer, f"Mine {days}", days=days, ownerUserId=USER) for days in (-3, -1, 0)]
    person.planned(customer, "Later", days=3, ownerUserId=USER)
    person.planned(customer, "Of no one", days=-1)
    expect(badge(person)).to_have_attribute("data-count", "3")
    expect(badge(person)).to_contain_text("3 of your tasks are due or overdue")
    expect(person.page).to_have_title(re.compile(r"^\(3\) People"))
    complete(person, mine[0])
    expect(badge(person)).to_have_attribute("data-count", "2")
    expect(person.page).to_have_title(re.compile(r"^\(2\) People"))
    # The count equals the list that it opens.
    badge(person).click()
    expect(person.page.locator("[data-row]")).to_have_count(2)
    for call in mine[1:]:
        expect(person.row(call)).to_have_count(1)
    person.row(mine[1]).get_by_role("button", name="Complete").click()
    expect(badge(person)).to_have_attribute("data-count", "1")
    complete(person, mine[2])
    expect(badge(person)).to_be_hidden()
    expect(person.page).to_have_title(re.compile("^Tasks"))


def test_the_day_counts_what_it_lists(person: Person) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Mine {days}", days=days, ownerUserId=USER) for days in (-3, -2, -1)]
    person.planned(customer, "Later", days=3, ownerUserId=USER)
    person.planned(customer, "Of no one", days=-1)
    with person.client() as client:
        body = {"entityId": customer, "interactionType": "call", "title": "Log", "ownerUserId": USER}
        log = {**body, "status": "done", "occurredAt": "2026-01-01T10:00:00Z"}
        assert client.post("/api/customers/interactions", json=log).status_code == 201
    complete(person, calls[0])
    person.open("/backend/dashboard")
    own = person.page.locator("section:has(> .head > #own)")
    expect(own.locator("#own")).to_have_text("1 of 3 due today done")
    expect(own.locator("progress")).to_have_attribute("value", "1")
    links = {
        link.get_attribute("href"): link.get_attribute("data-count")
        for link in own.locator("a[data-count]").all()
    }
    assert sorted(links.values(), key=str) == ["1", "2"]
    for address, count in links.items():
        person.open(address or "")
        expect(person.page.locator("[data-row]")).to_have_count(int(count or 0))


def test_a_viewer_without_a_user_id_owns_nothing(browser: Browser, pages: Gateway, world: Settings) -> None:
    with Person.signed_in(browser, pages, world, user="ada") as ada:
        ada.planned(ada.new_customer(), "Of no one", days=-1)
        ada.open("/backend/customer-tasks?owner=me")
        expect(ada.page.locator("[data-row]")).to_have_count(0)
        expect(badge(ada)).to_be_hidden()
        ada.open("/backend/dashboard")
        expect(ada.page.locator("#own")).to_have_count(0)
