"""Many tasks at once, in a real browser: ticked ones with a result per row, and all that match as a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from runtime.settings import Settings
from tests.acceptance.pages.person import Person
from tests.harness.gateway import Gateway
from tests.harness.roles import running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
_PATH = "/backend/customer-tasks"
#: A page is refreshed at least this often (milliseconds).
_PATIENCE = 30_000


def tick(person: Person, *calls: str) -> None:
    for call in calls:
        person.row(call).locator("input[name=taskId]").check()


def bar(person: Person) -> Locator:
    return person.page.locator("#bulk .bar")


def statuses(person: Person, calls: list[str]) -> list[str]:
    return [person.stored(call)["status"] for call in calls]


def test_ticked_tasks_are_completed_and_taken_back_together(person: Person) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Call {number}", days=-number - 1) for number in range(4)]
    person.open(_PATH)
    expect(bar(person).get_by_role("button", name="Complete")).to_be_hidden()
    tick(person, *calls[:3])
    bar(person).get_by_role("button", name="Complete").click()
    results = person.page.locator("#results")
    expect(results).to_contain_text("3 tasks marked as done.")
    assert statuses(person, calls) == ["done", "done", "done", "planned"]
    expect(person.row(calls[3])).to_be_visible()
    expect(person.row(calls[0])).to_have_count(0)
    # The outcome is read from the journal, also after a reload, and one undo takes all of it back.
    person.page.reload()
    results.get_by_role("button", name="Undo all 3").click()
    expect(results).to_contain_text("3 changes taken back.")
    assert statuses(person, calls) == ["planned"] * 4
    expect(person.page.locator("input[name=taskId]:checked")).to_have_count(0)


def test_a_result_per_row_says_what_was_refused(person: Person) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Call {number}", days=-number - 1) for number in range(3)]
    person.open(_PATH)
    # Without live updates the row that someone else completes stays on the page.
    person.page.route("**/api/customers/stream*", lambda route: route.abort())
    person.page.goto(person.gateway.url + _PATH)
    tick(person, *calls)
    with person.client() as client:
        answer = client.post("/api/customers/interactions/complete", json={"id": calls[1]})
        assert answer.status_code == 200
    bar(person).get_by_role("button", name="Complete").click()
    results = person.page.locator("#results")
    expect(results).to_contain_text("2 tasks marked as done.")
    expect(results).to_contain_text("1 not changed.")
    refused = person.page.locator(f"#r-{calls[1]}")
    expect(refused).to_have_attribute("data-state", "refused")
    expect(refused).to_contain_text("It is done already.")
    results.locator("summary").click()
    expect(person.page.locator(f"#r-{calls[0]}")).to_contain_text("Saved.")
    # The undo takes back what this person did, and nothing else.
    results.get_by_role("button", name="Undo all 2").click()
    expect(results).to_contain_text("2 changes taken back.")
    assert statuses(person, calls) == ["planned", "done", "planned"]


def test_the_common_box_snoozes_and_assigns(person: Person) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Call {number}", days=-number - 1) for number in range(3)]
    person.open(_PATH)
    common = bar(person).get_by_label("All 3 tasks on this page")
    common.check()
    expect(person.page.locator("input[name=taskId]:checked")).to_have_count(3)
    person.row(calls[0]).locator("input[name=taskId]").uncheck()
    expect(common).not_to_be_checked()
    bar(person).get_by_text("Snooze").click()
    bar(person).get_by_role("button", name="Tomorrow").click()
    expect(person.page.locator("#results")).to_contain_text("2 tasks moved.")
    expect(person.row(calls[0])).to_contain_text("1 day late")
    expect(person.row(calls[1])).not_to_contain_text("late")
    tick(person, *calls)
    bar(person).get_by_text("Assign", exact=True).click()
    bar(person).get_by_label("Owner").fill("nobody I know")
    bar(person).get_by_role("button", name="Assign to this user").click()
    expect(person.page.locator("#bulk .problem")).to_contain_text("This is not the id of a user.")
    expect(person.page.locator("input[name=taskId]:checked")).to_have_count(3)
    owner = "4b0c9d1e-53e4-4b0c-9d1e-1f0a6f7d0001"
    bar(person).get_by_label("Owner").fill(owner)
    bar(person).get_by_role("button", name="Assign to this user").click()
    expect(person.page.locator("#results")).to_contain_text("3 tasks assigned.")
    assert {person.stored(call)["ownerUserId"] for call in calls} == {owner}


def test_a_double_click_acts_once(person: Person) -> None:
    call = person.planned(person.new_customer(), "Call", days=-1)
    person.open(_PATH)
    tick(person, call)
    bar(person).get_by_role("button", name="Cancel it").dblclick()
    expect(person.page.locator("#results")).to_contain_text("1 task canceled.")
    version = person.stored(call)["version"]
    # The same form once more, as after the browser's Back.
    expect(person.page.locator("#results")).to_have_attribute("data-refused", "0")
    assert (person.stored(call)["status"], version) == ("canceled", 2)


def test_nothing_ticked_is_said_in_the_form(person: Person) -> None:
    person.planned(person.new_customer(), "Call", days=-1)
    person.open(_PATH)
    # A browser without the selector :has shows the buttons before anything is ticked.
    person.page.evaluate("bulk.requestSubmit(document.querySelector('#bulk [value=complete]'))")
    expect(person.page.locator("#bulk .problem")).to_contain_text("Tick at least one row")


@contextmanager
def without_script(person: Person, browser: Browser) -> Iterator[Page]:
    """Another browser of the same person, with JavaScript off."""
    options: dict[str, Any] = {"java_script_enabled": False}
    with person.another(
        browser,
        **options,
    ) as other:
        yield other.page


def test_without_javascript(person: Person, browser: Browser) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Call {number}", days=-number - 1) for number in range(3)]
    with without_script(person, browser) as page:
        page.goto(person.gateway.url + _PATH)
        page.get_by_label("All 3 tasks on this page").check()
        page.locator("#bulk").get_by_role("button", name="Complete").click()
        expect(page.locator("#results")).to_contain_text("3 tasks marked as done.")
        page.locator("#results").get_by_role("button", name="Undo all 3").click()
        expect(page.locator("#results")).to_contain_text("3 changes taken back.")
        page.locator(f"#i-{calls[2]} input[name=taskId]").check()
        page.locator("#bulk").get_by_role("button", name="Cancel it").click()
        expect(page.locator("#results")).to_contain_text("1 task canceled.")
    assert statuses(person, calls) == ["planned", "planned", "canceled"]


def test_all_that_match_is_a_job(person: Person, world: Settings, pages: Gateway) -> None:
    customer = person.new_customer("Muster GmbH")
    other = person.planned(person.new_customer("Other"), "Call", days=-1)
    calls = [person.planned(customer, f"Call {number}", days=-number - 1) for number in range(12)]
    person.open(f"{_PATH}?q=Muster")
    bar(person).get_by_role("link", name="All 12 that match").click()
    expect(person.page.locator("h1")).to_have_text("12 tasks match")
    person.page.get_by_label("Mark as done").check()
    # The list changes before the confirmation: nothing starts.
    late = person.planned(customer, "A late one", days=2)
    expect(person.page.locator("h1")).to_have_text("13 tasks match")
    person.page.evaluate("document.querySelector('#all input[name=count]').value = '12'")
    person.page.get_by_role("button", name="Do this to all").click()
    expect(person.page.locator("#all .problem")).to_contain_text("now 13 tasks match")
    person.page.reload()
    person.page.get_by_label("Mark as done").check()
    person.page.get_by_role("button", name="Do this to all 13 tasks").click()
    state = person.page.locator("#job-state")
    expect(state).to_have_attribute("data-state", "waiting")
    assert statuses(person, [other, late, *calls]) == ["planned"] * 14
    with running(world, "jobs"):
        expect(state).to_have_attribute("data-state", "completed", timeout=_PATIENCE)
    expect(state).to_contain_text("13 saved")
    expect(state).to_contain_text("All of them were changed.")
    assert statuses(person, [other, late, *calls]) == ["planned", *["done"] * 13]
    assert pages.url in person.page.url


def test_a_job_can_be_stopped_by_its_owner(person: Person, browser: Browser) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Call {number}", days=-number - 1) for number in range(9)]
    person.open(f"{_PATH}/all?group=overdue")
    person.page.get_by_label("Cancel").check()
    person.page.get_by_role("button", name="Do this to all 9 tasks").click()
    person.page.get_by_role("button", name="Stop").click()
    expect(person.page.locator("#job-state")).to_have_attribute("data-state", "canceled")
    expect(person.page.locator("#job-state")).to_contain_text("Stopped.")
    assert statuses(person, calls) == ["planned"] * 9
    features = ["customers.view", "customers.edit"]
    with person.another(
        browser,
        user="9d1e0c9d-53e4-4b0c-9d1e-1f0a6f7d0002",
        features=features,
    ) as stranger:
        response = stranger.page.goto(person.page.url)
        assert response is not None
        assert response.status == 404


def test_enter_in_a_box_does_nothing(person: Person) -> None:
    call = person.planned(person.new_customer(), "Call", days=-1)
    person.open("/backend/customer-tasks")
    posts: list[str] = []
    person.page.on("request", lambda it: posts.append(it.url) if it.method == "POST" else None)
    box = person.row(call).locator("[name=taskId]")
    box.focus()
    person.page.keyboard.press("Enter")
    person.page.keyboard.press("Space")
    expect(box).to_be_checked()
    assert posts == []
    assert person.stored(call)["status"] == "planned"
