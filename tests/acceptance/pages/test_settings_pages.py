"""The dictionary of types on the settings page, in real browsers."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from runtime.settings import Settings
from tests.acceptance.pages.person import Person
from tests.harness.gateway import Gateway

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

_SETTINGS = "/backend/settings"


def types(person: Person) -> dict[str, Any]:
    """The dictionary as the API has it, by code."""
    with person.client() as client:
        found = client.get("/api/customers/interaction-types").json()
    return {"strict": found["strict"], **{item["interactionType"]: item for item in found["items"]}}


def entry(person: Person, code: str) -> Locator:
    """The row of a type."""
    return person.page.locator("li.row").filter(has=person.page.get_by_text(code, exact=True))


def begin(person: Person, code: str) -> Locator:
    """Open the form of a type."""
    row = entry(person, code)
    row.locator("summary").click()
    return row


def colleague(person: Person, browser: Browser, **options: Any) -> Any:
    return person.another(
        browser,
        **options,
    )


def test_a_change_is_saved_and_taken_back(person: Person) -> None:
    person.open(_SETTINGS)
    row = begin(person, "call")
    row.get_by_label("Label").fill("Phone call")
    row.get_by_label("Star").check(force=True)
    row.locator("input[type=color]").fill("#112233")
    row.get_by_label("Is a task").select_option("No")
    row.get_by_role("button", name="Save").click()
    expect(person.page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    expect(entry(person, "call")).to_contain_text("Phone call")
    assert types(person)["call"] == {
        "interactionType": "call",
        "label": "Phone call",
        "icon": "star",
        "color": "#112233",
        "actionable": False,
    }
    person.page.get_by_role("button", name="Undo").click()
    expect(entry(person, "call").locator(".row-title")).to_have_text("Call")
    assert types(person)["call"]["color"] == "#2563EB"
    assert types(person)["call"]["icon"] == "phone"
    assert types(person)["call"]["actionable"] is True


def test_a_type_is_added_once_and_counts(person: Person) -> None:
    person.open(_SETTINGS)
    person.page.get_by_text("Add a type").click()
    form = person.page.locator("#type-new")
    form.get_by_label("Label").fill("Site visit")
    form.get_by_role("button", name="Add").click()
    expect(entry(person, "site_visit")).to_contain_text("counts as a task")
    expect(person.page.get_by_role("button", name="Undo")).to_have_count(0)
    person.page.get_by_text("Add a type").click()
    form.get_by_label("Label").fill("site-visit")
    form.get_by_role("button", name="Add").click()
    expect(form.locator(".problem")).to_contain_text("There is a type with this code already")
    expect(form.get_by_label("Label")).to_have_value("site-visit")
    customer = person.new_customer()
    visit = person.planned(customer, "At the site", interactionType="site_visit")
    person.open("/backend/customer-tasks")
    expect(person.row(visit)).to_be_visible()


def test_a_strict_dictionary_rejects_unknown_types(person: Person) -> None:
    person.open(_SETTINGS)
    person.page.get_by_role("button", name="Make it strict").click()
    expect(person.page.get_by_role("button", name="Make it open")).to_be_visible()
    assert types(person)["strict"] is True
    customer = person.new_customer()
    with person.client() as client:
        body = {"entityId": customer, "interactionType": "unheard of", "title": "x"}
        assert client.post("/api/customers/interactions", json=body).status_code == 422
    person.page.get_by_role("button", name="Make it open").click()
    expect(person.page.get_by_role("button", name="Make it strict")).to_be_visible()
    assert types(person)["strict"] is False


def test_another_person_s_change_appears_and_is_not_overwritten(person: Person, browser: Browser) -> None:
    person.open(_SETTINGS)
    row = begin(person, "email")
    row.get_by_label("Label").fill("My mail")
    with colleague(person, browser) as other:
        other.open(_SETTINGS)
        theirs = begin(other, "email")
        theirs.get_by_label("Label").fill("Their mail")
        theirs.locator("input[type=color]").fill("#445566")
        theirs.get_by_role("button", name="Save").click()
        expect(row.locator(".row-title")).to_have_text("Their mail")  # by itself
        expect(row.get_by_label("Label")).to_have_value("My mail")
        row.get_by_role("button", name="Save").click()
        problem = row.locator(".problem")
        expect(problem).to_contain_text("Someone else changed this")
        expect(problem).to_contain_text("now “Their mail”")
        assert types(person)["email"]["label"] == "Their mail"
        problem.get_by_role("button", name="Save my values").click()
        expect(row.locator(".row-title")).to_have_text("My mail")
        expect(entry(other, "email").locator(".row-title")).to_have_text("My mail")
        assert types(person)["email"]["color"] == "#445566", "what only they changed stays"
        assert other.faults == []


def test_what_was_typed_is_kept_over_a_reload(person: Person) -> None:
    person.open(_SETTINGS)
    row = begin(person, "meeting")
    row.get_by_label("Label").fill("Appointment")
    row.get_by_label("Calendar").check(force=True)
    person.page.reload()
    expect(row.get_by_label("Label")).to_have_value("Appointment")
    expect(row.get_by_label("Calendar")).to_be_checked()
    row.get_by_role("button", name="Save").click()
    expect(row.locator(".row-title")).to_have_text("Appointment")
    assert types(person)["meeting"]["icon"] == "calendar"


def test_readers_see_the_types_and_no_form(world: Settings, pages: Gateway, browser: Browser) -> None:
    with Person.signed_in(browser, pages, world, features=["customers.view"]) as reader:
        reader.open(_SETTINGS)
        expect(entry(reader, "call")).to_be_visible()
        expect(reader.page.locator("form[action^='/backend/settings/types']")).to_have_count(0)
        assert reader.faults == []


def test_every_form_works_without_script(person: Person, browser: Browser) -> None:
    with colleague(person, browser, java_script_enabled=False) as plain:
        plain.page.goto(plain.gateway.url + _SETTINGS)
        row = begin(plain, "task")
        row.get_by_label("Label").fill("To do")
        row.get_by_role("button", name="Save").click()
        expect(entry(plain, "task").locator(".row-title")).to_have_text("To do")
        plain.page.get_by_role("button", name="Undo").click()
        expect(entry(plain, "task").locator(".row-title")).to_have_text("Task")
