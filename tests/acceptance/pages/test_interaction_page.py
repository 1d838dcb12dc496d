"""One interaction: its history and undo, a conflict decided field by field, its owner, its mirrors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from runtime.settings import Settings
from tests.acceptance.pages.integration_desk import STATES, new_board, new_row, switch_on
from tests.acceptance.pages.person import Person
from tests.harness.gateway import USER, Gateway

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

COLLEAGUE = "44444444-4444-4444-8444-444444444444"


@pytest.fixture
def colleague(person: Person, browser: Browser) -> Iterator[Person]:
    """Another user of the same organization, in a browser of their own."""
    with person.another(
        browser,
        user=COLLEAGUE,
    ) as found:
        yield found
        assert found.faults == []


def edit_form(person: Person) -> Locator:
    return person.page.locator("form[id^=edit-]")


def history(person: Person) -> Locator:
    return person.page.locator("[data-change]")


def kinds(person: Person) -> list[str | None]:
    return [row.get_attribute("data-change") for row in history(person).all()]


def change(person: Person, call: str, **fields: object) -> None:
    with person.client() as client:
        answer = client.put("/api/customers/interactions", json={"id": call, **fields})
    assert answer.status_code == 200, answer.text


def test_the_history_shows_who_changed_what_and_takes_the_latest_change_back(
    person: Person, colleague: Person
) -> None:
    call = person.planned(person.new_customer(), "Old title", days=1)
    before = person.stored(call)["scheduledAt"]
    person.open(f"/backend/interactions/{call}")
    edit_form(person).get_by_label("Title").fill("New title")
    edit_form(person).get_by_role("button", name="Save").click()
    expect(person.page.locator("h1")).to_have_text("New title")
    person.page.locator("main .head").get_by_text("Snooze").click()
    person.page.locator("main .head").get_by_role("button", name="In 7 days").click()
    expect(history(person).first).to_have_attribute("data-change", "moved")
    assert kinds(person) == ["moved", "interaction.update", "interaction.create"]
    edited = history(person).nth(1)
    expect(edited).to_contain_text("by you")
    expect(edited.locator("del")).to_contain_text("Old title")
    expect(edited.locator("dd")).to_contain_text("New title")
    # Only the latest change can be taken back, and only by its user.
    undo = history(person).get_by_role("button", name="Undo")
    expect(undo).to_have_count(1)
    colleague.open(f"/backend/interactions/{call}")
    expect(history(colleague)).to_have_count(3)
    expect(history(colleague).first).to_contain_text(f"by {USER}")
    expect(history(colleague).get_by_role("button", name="Undo")).to_have_count(0)
    undo.click()
    expect(person.page.locator(".notice")).to_contain_text("Taken back.")
    expect(history(person).first).to_have_attribute("data-change", "interaction.undo")
    assert person.stored(call)["scheduledAt"] == before
    assert person.stored(call)["title"] == "New title"


def test_a_long_history_has_pages(person: Person) -> None:
    call = person.planned(person.new_customer(), "Call", days=1)
    for number in range(12):
        change(person, call, title=f"Title {number}")
    person.open(f"/backend/interactions/{call}")
    expect(history(person)).to_have_count(10)
    expect(history(person).first).to_contain_text("Title 11")
    person.page.get_by_role("link", name="Older changes").click()
    expect(history(person)).to_have_count(3)
    assert kinds(person) == ["interaction.update", "interaction.update", "interaction.create"]
    expect(history(person).get_by_role("button", name="Undo")).to_have_count(0)
    expect(person.page.get_by_role("link", name="Older changes")).to_have_count(0)
    person.page.get_by_role("link", name="Newest changes").click()
    expect(history(person)).to_have_count(10)


def test_a_completion_and_its_next_step_are_taken_back_while_both_are_unchanged(person: Person) -> None:
    call = person.planned(person.new_customer(), "Call", days=-1)
    with person.client() as client:
        body = {"id": call, "next": {"interactionType": "call", "title": "Call once more"}}
        answer = client.post("/api/customers/interactions/complete", json=body)
    assert answer.status_code == 200, answer.text
    step = str(answer.json()["plannedInteractionId"])
    person.open(f"/backend/interactions/{call}")
    expect(history(person).get_by_role("button", name="Undo")).to_have_count(1)
    change(person, step, title="Changed since")
    person.open(f"/backend/interactions/{call}")
    expect(history(person).get_by_role("button", name="Undo")).to_have_count(0)
    person.page.get_by_role("link", name="Next step: Call once more").click()
    # The entry that created it belongs to the completed interaction.
    expect(history(person)).to_have_count(1)
    assert kinds(person) == ["interaction.update"]
    expect(person.page.locator("section:has(#history)")).to_contain_text("created as the next step")


def test_two_people_edit_the_same_interaction(person: Person, colleague: Person) -> None:
    call = person.planned(person.new_customer(), "Call", days=1)
    for one in (person, colleague):
        one.open(f"/backend/interactions/{call}")
    edit_form(person).get_by_label("Title").fill("Mine")
    edit_form(person).get_by_label("Priority (0–100)").fill("70")
    edit_form(colleague).get_by_label("Title").fill("Theirs")
    edit_form(colleague).get_by_label("Notes").fill("Their notes")
    edit_form(colleague).get_by_role("button", name="Save").click()
    expect(colleague.page.locator(".notice")).to_contain_text("Saved.")
    edit_form(person).get_by_role("button", name="Save").click()
    problem = edit_form(person).locator(".problem")
    expect(problem.locator("fieldset")).to_have_count(1)
    expect(problem.locator("fieldset")).to_contain_text("Mine")
    expect(problem.locator("fieldset")).to_contain_text("Theirs")
    expect(problem.locator("dl")).to_contain_text("Their notes")
    assert person.stored(call)["title"] == "Theirs"
    # A third change, while the person decides, asks once more.
    change(colleague, call, title="Theirs, later")
    expect(person.page.locator("h1")).to_have_text("Theirs, later")
    problem.get_by_label("Take theirs").check()
    problem.get_by_role("button", name="Save this").click()
    expect(problem.locator("fieldset")).to_contain_text("Theirs, later")
    assert person.stored(call)["priority"] is None
    problem.get_by_label("Take theirs").check()
    problem.get_by_role("button", name="Save this").click()
    expect(person.page.locator(".notice")).to_contain_text("Saved.")
    expect(problem).to_be_empty()
    stored = person.stored(call)
    assert (stored["title"], stored["priority"], stored["body"]) == ("Theirs, later", 70, "Their notes")
    expect(edit_form(person).get_by_label("Title")).to_have_value("Theirs, later")


def test_a_conflict_is_decided_without_script(
    person: Person, browser: Browser, pages: Gateway, world: Settings
) -> None:
    call = person.planned(person.new_customer(), "Call", days=1)
    scope = {"tenant": person.tenant, "organization": person.organization}
    with Person.signed_in(browser, pages, world, **scope, java_script_enabled=False) as plain:
        plain.page.goto(f"{pages.url}/backend/interactions/{call}")
        edit_form(plain).get_by_label("Title").fill("Mine")
        edit_form(plain).get_by_label("Priority (0–100)").fill("70")
        change(person, call, title="Theirs")
        edit_form(plain).get_by_role("button", name="Save").click()
        expect(plain.page.get_by_role("alert")).to_contain_text("this was changed in the meantime")
        expect(plain.page.locator("[data-discard]")).to_have_count(0)
        plain.page.get_by_label("Take theirs").check()
        plain.page.get_by_role("button", name="Save this").click()
        expect(plain.page.locator(".notice")).to_contain_text("Saved.")
    assert (person.stored(call)["title"], person.stored(call)["priority"]) == ("Theirs", 70)


def test_an_owner_is_assigned_from_a_row_and_in_the_form(person: Person) -> None:
    customer = person.new_customer()
    call = person.planned(customer, "Call", days=1)
    person.planned(customer, "Another", days=2, ownerUserId=COLLEAGUE)
    person.open("/backend/customer-tasks")
    row = person.row(call)
    row.locator("summary[aria-label=Owner]").click()
    row.get_by_role("button", name="Assign to me").click()
    expect(row).to_contain_text("Yours")
    assert person.stored(call)["ownerUserId"] == USER
    # Users that were seen are offered.
    expect(person.page.locator(f"#people option[value='{COLLEAGUE}']")).to_have_count(1)
    row.locator("summary[aria-label=Owner]").click()
    row.locator("input[name=owner]").fill(COLLEAGUE)
    row.locator("input[name=owner]").press("Enter")
    expect(row).to_contain_text("Owner 44444444")
    stored = person.stored(call)
    assert (stored["ownerUserId"], stored["status"]) == (COLLEAGUE, "planned")
    person.open(f"/backend/interactions/{call}")
    edit_form(person).get_by_label("Owner").fill("nobody")
    edit_form(person).get_by_role("button", name="Save").click()
    expect(edit_form(person).locator(".problem")).to_contain_text("Owner")
    edit_form(person).get_by_label("Owner").fill("")
    edit_form(person).get_by_role("button", name="Save").click()
    expect(person.page.locator(".notice")).to_contain_text("Saved.")
    assert person.stored(call)["ownerUserId"] is None
    expect(history(person).first).to_have_attribute("data-change", "assigned")


def test_rows_show_their_mirrors(person: Person) -> None:
    customer = person.new_customer()
    switch_on(person)
    board = new_board(person)
    calls = {}
    for state in ("waiting", "failing", "blocked"):
        calls[state] = person.planned(customer, f"Call {state}", days=1)
        new_row(person, board, calls[state], STATES[state])
    unmirrored = person.planned(customer, "Not mirrored", days=1)
    for tab in ("", "?tab=activities"):
        person.open(f"/backend/customers/people/{customer}{tab}")
        for state, call in calls.items():
            badge = person.row(call).locator("[data-mirror]")
            expect(badge).to_have_attribute("data-mirror", state)
            expect(badge).to_contain_text(state.capitalize())
        expect(person.row(unmirrored)).to_have_count(1)
        expect(person.row(unmirrored).locator("[data-mirror]")).to_have_count(0)
