"""One task after the other: each action opens the next, and what others did is passed over with a word."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.pages.person import Person

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
_LIST = "/backend/customer-tasks"


def test_each_action_opens_the_next(person: Person) -> None:
    customer = person.new_customer("Muster GmbH")
    calls = [person.planned(customer, f"Call {number}", days=number - 4) for number in range(5)]
    person.open(_LIST)
    person.page.get_by_role("link", name="Work through").click()
    task, position = person.page.locator("[data-task]"), person.page.locator("[data-position]")
    # Overdue ones first, the oldest at the top.
    expect(task).to_have_attribute("data-task", calls[0])
    expect(position).to_have_text("1 of 5")
    expect(person.page.locator("aside")).to_contain_text("Muster GmbH")
    person.page.locator("[name=feedback]").fill("Agreed")
    person.page.locator("[name=nextTitle]").fill("Send the offer")
    person.page.get_by_role("button", name="Complete").click()
    expect(task).to_have_attribute("data-task", calls[1])
    expect(position).to_have_text("2 of 5")
    # Nothing that was typed for one task reaches the next.
    expect(person.page.locator("[name=feedback]")).to_have_value("")
    expect(person.page.locator("[name=nextTitle]")).to_have_value("")
    expect(person.page.locator(".notice")).to_contain_text("Marked as done.")
    expect(person.page.locator("aside")).to_contain_text("Agreed")
    stored = person.stored(calls[0])
    assert (stored["status"], stored["feedback"]) == ("done", "Agreed")
    person.page.locator("[name=feedback]").fill("Was busy")
    person.page.locator("summary", has_text="Snooze").click()
    person.page.get_by_role("button", name="Tomorrow").click()
    expect(task).to_have_attribute("data-task", calls[2])
    expect(person.page.locator("[name=feedback]")).to_have_value("")
    person.page.get_by_role("button", name="Cancel it").click()
    expect(task).to_have_attribute("data-task", calls[3])
    assert person.stored(calls[2])["status"] == "canceled"
    expect(position).to_have_text("4 of 5")
    # The address holds the state.
    person.page.reload()
    expect(position).to_have_text("4 of 5")
    person.page.get_by_role("link", name="Skip", exact=True).click()
    expect(task).to_have_attribute("data-task", calls[4])
    person.page.get_by_role("link", name="Skip", exact=True).click()
    # The snoozed one and the next step are not part of this run.
    expect(person.page.locator("main")).to_contain_text("That was the last one")
    person.page.get_by_role("link", name="Back to the list").click()
    expect(person.page).to_have_url(re.compile(f"{_LIST}$"))
    # The text typed before the snooze is kept for its task.
    person.page.get_by_role("link", name="Work through").click()
    for call in calls[3:]:
        expect(task).to_have_attribute("data-task", call)
        person.page.get_by_role("link", name="Skip", exact=True).click()
    expect(task).to_have_attribute("data-task", calls[1])
    expect(person.page.locator("[name=feedback]")).to_have_value("Was busy")


def test_the_keyboard_is_enough(person: Person) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Call {number}", days=-5 + number) for number in range(4)]
    person.open(f"{_LIST}/work")
    task = person.page.locator("[data-task]")
    expect(task).to_have_attribute("data-task", calls[0])
    person.page.keyboard.press("c")
    expect(task).to_have_attribute("data-task", calls[1])
    person.page.keyboard.press("j")
    expect(task).to_have_attribute("data-task", calls[2])
    person.page.keyboard.press("s")
    expect(person.page.get_by_role("button", name="Today")).to_be_focused()
    person.page.keyboard.press("Enter")
    expect(task).to_have_attribute("data-task", calls[3])
    person.page.keyboard.press("n")
    expect(person.page.locator("[name=nextTitle]")).to_be_focused()
    person.page.keyboard.type("cjs")
    expect(task).to_have_attribute("data-task", calls[3])
    expect(person.page.locator("[name=nextTitle]")).to_have_value("cjs")
    assert [person.stored(call)["status"] for call in calls] == ["done", "planned", "planned", "planned"]


def test_what_others_did_is_passed_over_with_a_word(person: Person) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Call {number}", days=-5 + number) for number in range(4)]
    person.open(f"{_LIST}/work")
    task = person.page.locator("[data-task]")
    expect(task).to_have_attribute("data-task", calls[0])

    def complete(call: str) -> None:
        with person.client() as client:
            answer = client.post("/api/customers/interactions/complete", json={"id": call})
        assert answer.status_code == 200

    complete(calls[1])
    person.page.get_by_role("link", name="Skip", exact=True).click()
    expect(task).to_have_attribute("data-task", calls[2])
    expect(person.page.locator("main")).to_contain_text("1 task was completed or canceled elsewhere")
    expect(person.page.locator("[data-position]")).to_have_text("3 of 4")
    # The open one: the page says so as it happens, and leads on.
    complete(calls[2])
    expect(person.page.locator("main")).to_contain_text("was completed in the meantime")
    person.page.get_by_role("link", name="Next task").click()
    expect(task).to_have_attribute("data-task", calls[3])
    expect(person.page.locator("[data-position]")).to_have_text("4 of 4")


def test_filters_and_tasks_without_a_date(person: Person, browser: Browser) -> None:
    customer = person.new_customer()
    late = person.planned(customer, "Late", days=-1)
    undated = person.planned(customer, "Some day", days=0, scheduledAt=None)
    person.planned(customer, "A meeting", days=-2, interactionType="meeting")
    with person.another(
        browser,
        java_script_enabled=False,
    ) as plain:
        page = plain.page
        page.goto(f"{person.gateway.url}{_LIST}/work?type=call")
        task = page.locator("[data-task]")
        expect(task).to_have_attribute("data-task", late)
        expect(page.locator("[data-position]")).to_have_text("1 of 2")
        page.get_by_role("button", name="Complete").click()
        expect(task).to_have_attribute("data-task", undated)
        expect(page.locator("[data-position]")).to_have_text("2 of 2")
        page.get_by_role("button", name="Complete").click()
        expect(page.locator("main")).to_contain_text("That was the last one")
        assert "type=call" in page.url
        page.get_by_role("link", name="Back to the list").click()
        assert page.url.endswith(f"{_LIST}?type=call")
    assert [person.stored(it)["status"] for it in (late, undated)] == ["done", "done"]
