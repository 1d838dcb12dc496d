"""Complaints that people had about other systems of this kind, each as a test in a real browser.

Others are where their page is tested: in ``test_work`` counts that differ from their list, a stale list, the
day of the wrong zone and a due date that an untouched field overwrites; in ``test_trust`` lost input.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.acceptance.pages.person import Person

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def ids_in_order(rows: Locator) -> list[str]:
    return [str(row.get_attribute("id")).removeprefix("i-") for row in rows.all()]


def test_what_is_overdue_never_vanishes_and_comes_first(person: Person) -> None:
    late, early = person.new_customer("Late GmbH"), person.new_customer("Early GmbH")
    planned = person.planned(early, "Planned", days=2)
    overdue = person.planned(late, "Overdue", days=-400)
    for path in ("/backend/customer-tasks", "/backend/dashboard"):
        person.open(path)
        assert ids_in_order(person.page.locator("[data-row]"))[0] == overdue
        expect(person.row(overdue)).to_contain_text("days late")
    person.open("/backend/customer-tasks")
    assert ids_in_order(person.page.locator("[data-row]")) == [overdue, planned]
    first = person.page.locator("section").first
    expect(first.locator("h2 .late")).to_have_text("Overdue")
    person.open("/backend/customers/people")
    names = person.page.locator("[data-row] .row-title")
    assert names.all_inner_texts() == ["Late GmbH", "Early GmbH"]
    expect(person.page.locator("[data-row]").first).to_contain_text("days late")


def test_rows_are_in_the_order_of_their_dates(person: Person) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"{days} days", days=days) for days in (-1.5, -3, -2)]
    person.open("/backend/customer-tasks?group=overdue")
    assert ids_in_order(person.page.locator("[data-row]")) == [calls[1], calls[2], calls[0]]


def test_the_most_important_task_of_a_day_comes_first(person: Person) -> None:
    customer = person.new_customer()
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
    morning, most, later, before = (
        person.planned(customer, title, priority=priority, scheduledAt=(noon + offset).isoformat())
        for title, priority, offset in (
            ("Morning", None, timedelta(hours=-2)),
            ("Most important", 90, timedelta(hours=1)),
            ("Important", 10, timedelta(hours=-1)),
            ("The day before", 0, timedelta(days=-1)),
        )
    )
    person.open("/backend/customer-tasks?group=overdue")
    assert ids_in_order(person.page.locator("[data-row]")) == [before, most, later, morning]
    person.page.get_by_role("link", name="Work through").click()
    for task in (before, most, later, morning):
        expect(person.page.locator("[data-task]")).to_have_attribute("data-task", task)
        person.page.locator("[data-act=skip]").click()


def test_a_long_history_moves_no_open_task_to_another_page(person: Person) -> None:
    customer = person.new_customer()
    overdue = person.planned(customer, "Still open", days=-30)
    with person.client() as client:
        for number in range(30):
            body = {"entityId": customer, "interactionType": "call", "title": f"Done {number}"}
            body |= {"occurredAt": "2026-01-02T10:00:00Z", "status": "done"}
            assert client.post("/api/customers/interactions", json=body).status_code == 201
    for tab in ("", "?tab=activities"):
        person.open(f"/backend/customers/people/{customer}{tab}")
        assert ids_in_order(person.page.locator("section[aria-labelledby=planned] [data-row]")) == [overdue]


def test_every_interaction_of_a_customer_can_be_reached(person: Person) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Call {number}", days=number - 15) for number in range(49)]
    with person.client() as client:
        body = {"entityId": customer, "interactionType": "task", "title": "No date"}
        calls.append(client.post("/api/customers/interactions", json=body).json()["id"])
    person.open(f"/backend/customers/people/{customer}")
    planned = person.page.locator("section[aria-labelledby=planned]")
    seen = []
    for rows in (24, 24, 2):
        expect(planned.locator("[data-row]")).to_have_count(rows)
        expect(planned.locator("h2")).to_contain_text("50")
        seen += ids_in_order(planned.locator("[data-row]"))
        if rows == 24:
            planned.get_by_role("link", name="Show more").click()
    assert seen == calls


def test_a_done_row_loses_its_colour_and_stays_with_its_feedback(person: Person) -> None:
    customer = person.new_customer()
    call = person.planned(customer, "Call", days=-1)
    person.open(f"/backend/interactions/{call}?back=/backend/customers/people/{customer}")
    person.page.get_by_label("What was said").fill("Wants an offer")
    person.page.get_by_role("button", name="Mark done").click()
    expect(person.page.locator(".notice")).to_contain_text("Marked as done.")
    person.open(f"/backend/customers/people/{customer}?tab=activities")
    row = person.page.locator("section[aria-labelledby=ended]").locator(f"#i-{call}")
    expect(row).to_have_attribute("data-due", "done")
    expect(row).to_contain_text("Wants an offer")
    expect(row).not_to_contain_text("late")
    expect(row.get_by_role("button", name="Complete")).to_have_count(0)
    expect(person.page.locator("#i-" + call)).to_have_count(1)


def test_a_success_removes_the_words_of_the_failure(person: Person) -> None:
    person.open(f"/backend/customers/people/{person.new_customer()}")
    person.page.locator("#plan > summary").click()
    form = person.page.locator("form[id^=plan-]")
    form.locator("[name=when]").evaluate("it => { it.type = 'text'; it.value = 'nonsense'; }")
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".problem")).to_contain_text("Not saved.")
    form.locator("[name=when]").fill("2099-01-02T10:00")
    form.get_by_role("button", name="Save").click()
    expect(person.page.locator(".notice")).to_contain_text("Saved.")
    expect(form.locator(".problem")).to_be_empty()


def test_completing_twice_plans_one_next_step(person: Person) -> None:
    customer = person.new_customer()
    call = person.planned(customer, "Call", days=-1)
    person.open(f"/backend/interactions/{call}")
    person.page.locator("[name=nextTitle]").fill("Send the offer")
    person.page.locator("[name=nextAt]").fill("2099-01-02T10:00")
    person.page.locator("form[id^=complete-]").get_by_role("button").dblclick()
    expect(person.page.locator(".notice")).to_contain_text("Marked as done.")
    with person.client() as client:
        rows = client.get("/api/customers/interactions", params={"entityId": customer}).json()["items"]
    assert sorted(row["title"] for row in rows) == ["Call", "Send the offer"]


def test_filters_survive_an_action_a_visit_and_the_way_back(person: Person) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Wanted {number}", days=-number) for number in (1, 2)]
    other = person.planned(customer, "Something else", days=-1)
    person.open("/backend/customer-tasks")
    person.page.get_by_label("Search").fill("Wanted")
    expect(person.row(other)).to_have_count(0)
    person.row(calls[0]).get_by_role("button", name="Complete").click()
    expect(person.page.locator(".notice")).to_contain_text("Marked as done.")
    expect(person.row(other)).to_have_count(0)
    assert "q=Wanted" in person.page.url
    person.row(calls[1]).locator(".row-title").click()
    expect(person.page.locator("h1")).to_have_text("Wanted 2")
    # Whatever happens meanwhile, the list that one returns to is not the old one.
    with person.client() as client:
        assert client.post("/api/customers/interactions/cancel", json={"id": calls[1]}).status_code == 200
    person.page.go_back()
    expect(person.page.get_by_label("Search")).to_have_value("Wanted")
    expect(person.row(calls[1])).to_have_count(0)
    expect(person.row(other)).to_have_count(0)


def test_a_slow_answer_does_not_replace_a_newer_one(person: Person) -> None:
    customer = person.new_customer()
    first, second = (person.planned(customer, title, days=-1) for title in ("First", "Second"))
    person.open("/backend/customer-tasks")
    held: list[Route] = []
    person.page.route(re.compile(r"q=First"), lambda it: held.append(it))  # noqa: PLW0108 - it must be a function
    search = person.page.get_by_label("Search")
    with person.page.expect_request(re.compile(r"q=First")):
        search.fill("First")
    search.fill("Second")
    expect(person.row(first)).to_have_count(0)
    expect(person.row(second)).to_have_count(1)
    for route in held:
        route.continue_()
    person.page.unroute_all(behavior="wait")
    expect(person.row(first)).to_have_count(0)
    expect(search).to_have_value("Second")


def test_the_form_for_another_one_stays(person: Person) -> None:
    person.open(f"/backend/customers/people/{person.new_customer()}")
    for title in ("One", "Two"):
        person.page.locator("#plan > summary").click()
        person.page.locator("#plan [name=title]").fill(title)
        person.page.locator("#plan").get_by_role("button", name="Save").click()
        expect(person.page.get_by_role("link", name=title, exact=True).first).to_be_visible()


def test_every_open_row_is_done_with_one_click(person: Person) -> None:
    customer = person.new_customer()
    for days in (-3, 0.01, 3):
        person.planned(customer, f"In {days}", days=days)
    for path in (f"/backend/customers/people/{customer}", "/backend/customer-tasks", "/backend/dashboard"):
        person.open(path)
        rows = person.page.locator(".row[data-row]")
        expect(rows.get_by_role("button", name="Complete")).to_have_count(rows.count())
        assert rows.count()


def test_dates_are_entered_natively_and_suggested_in_the_future(person: Person) -> None:
    person.open(f"/backend/customers/people/{person.new_customer()}")
    field = person.page.locator("#plan [name=when]")
    expect(field).to_have_attribute("type", "datetime-local")
    suggested = datetime.fromisoformat(field.input_value())
    now = datetime.fromisoformat(str(field.get_attribute("data-now")))
    assert timedelta(0) < suggested - now < timedelta(days=1)
