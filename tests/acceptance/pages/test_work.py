"""People do their follow-ups in a real browser; the database is asked whether a page tells the truth."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from runtime.settings import Settings
from tests.acceptance.pages.person import Person
from tests.harness.gateway import Gateway

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def test_complete_undo_and_snooze_from_the_list(person: Person) -> None:
    call = person.planned(person.new_customer(), "Call about the offer", days=-3)
    person.open("/backend/customer-tasks")
    expect(person.row(call)).to_contain_text("3 days late")
    person.row(call).get_by_role("button", name="Complete").click()
    expect(person.page.locator(".notice")).to_contain_text("Marked as done.")
    assert person.stored(call)["status"] == "done"
    # It stays in sight until the person goes elsewhere, and counts no more.
    expect(person.row(call)).to_have_class(re.compile(r"\bended\b"))
    expect(person.page.locator(".chip[data-count='0']")).to_have_count(6)
    person.page.locator(".notice").get_by_role("button", name="Undo").click()
    expect(person.page.locator(".notice")).to_contain_text("Taken back.")
    assert person.stored(call)["status"] == "planned"
    person.row(call).get_by_text("Snooze").click()
    person.row(call).get_by_role("button", name="Tomorrow").click()
    expect(person.row(call)).not_to_contain_text("late")
    moved = datetime.fromisoformat(person.stored(call)["scheduledAt"])
    assert timedelta(0) < moved - datetime.now(UTC) < timedelta(days=2)


def test_one_form_plans_and_logs(person: Person) -> None:
    customer = person.new_customer()
    person.open(f"/backend/customers/people/{customer}")
    for when, words, status in (
        ("2020-01-02T10:00", "logged as done", "done"),
        ("2099-01-02T10:00", "planned", "planned"),
    ):
        person.page.locator("#plan > summary").click()
        person.page.get_by_label("Title").fill(f"Talk {status}")
        person.page.locator("#plan input[name=when]").fill(when)
        expect(person.page.locator("[data-words]")).to_contain_text(words)
        person.page.locator("#plan").get_by_role("button", name="Save").click()
        expect(person.page.locator(".notice")).to_contain_text("Saved.")
        expect(person.page.locator("#plan input[name=title]")).to_have_value("")
    with person.client() as client:
        rows = client.get("/api/customers/interactions", params={"entityId": customer}).json()["items"]
    assert {row["title"]: row["status"] for row in rows} == {"Talk done": "done", "Talk planned": "planned"}
    # 10:00 in Berlin, in winter.
    assert {row["occurredAt"] for row in rows if row["status"] == "done"} == {"2020-01-02T09:00:00.000Z"}


def test_a_rejected_change_keeps_the_input_and_says_why(person: Person) -> None:
    call = person.planned(person.new_customer(), "Call", days=1)
    person.open(f"/backend/interactions/{call}")
    form = person.page.locator("form[id^=edit-]")
    form.get_by_label("Notes").fill("typed")
    form.get_by_label("Priority (0–100)").fill("500")
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".problem")).to_contain_text("Not saved. Your input is kept.")
    expect(form.locator(".problem")).to_contain_text("Priority")
    expect(form.get_by_label("Notes")).to_have_value("typed")
    assert person.stored(call)["body"] is None
    person.page.reload()
    expect(form.get_by_label("Notes")).to_have_value("typed")
    form.get_by_label("Priority (0–100)").fill("50")
    form.get_by_role("button", name="Save").click()
    expect(person.page.locator(".notice")).to_contain_text("Saved.")
    expect(form.locator(".problem")).to_be_empty()
    assert (person.stored(call)["body"], person.stored(call)["priority"]) == ("typed", 50)


def test_editing_the_title_leaves_the_dates(person: Person) -> None:
    call = person.planned(person.new_customer(), "Call", days=1.001)
    before = person.stored(call)
    person.open(f"/backend/interactions/{call}")
    form = person.page.locator("form[id^=edit-]")
    form.get_by_label("Title").fill("Another title")
    form.get_by_role("button", name="Save").click()
    expect(person.page.locator("h1")).to_have_text("Another title")
    after = person.stored(call)
    assert {name: after[name] for name in ("scheduledAt", "occurredAt", "priority", "body")} == {
        name: before[name] for name in ("scheduledAt", "occurredAt", "priority", "body")
    }


@pytest.mark.parametrize("choice", ["mine", "theirs"])
def test_a_change_of_another_person_is_not_overwritten(person: Person, choice: str) -> None:
    call = person.planned(person.new_customer(), "Call", days=1)
    person.open(f"/backend/interactions/{call}")
    form = person.page.locator("form[id^=edit-]")
    version = form.locator("input[name=version]").get_attribute("value")
    form.get_by_label("Title").fill("Mine")
    with person.client() as client:
        assert (
            client.put(
                "/api/customers/interactions", json={"id": call, "title": "Theirs", "body": "Untouched"}
            ).status_code
            == 200
        )
    # The page refreshes by itself; what is typed stays, and so does the version that it was typed over.
    expect(person.page.locator("h1")).to_have_text("Theirs")
    expect(form.get_by_label("Title")).to_have_value("Mine")
    expect(form.locator("input[name=version]")).to_have_attribute("value", version or "")
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".problem")).to_contain_text("this was changed in the meantime")
    assert person.stored(call)["title"] == "Theirs"
    # The person decides.
    form.get_by_label("Take mine" if choice == "mine" else "Take theirs").check()
    form.get_by_role("button", name="Save this").click()
    expect(person.page.locator("h1")).to_have_text("Mine" if choice == "mine" else "Theirs")
    expect(form.get_by_label("Title")).to_have_value("Mine" if choice == "mine" else "Theirs")
    expect(form.locator(".problem")).to_be_empty()
    stored = person.stored(call)
    assert (stored["title"], stored["body"]) == ("Mine" if choice == "mine" else "Theirs", "Untouched")


def test_a_double_click_has_one_effect(person: Person) -> None:
    customer = person.new_customer()
    person.open(f"/backend/customers/people/{customer}")
    person.page.locator("#plan > summary").click()
    person.page.locator("#plan input[name=title]").fill("Once")
    person.page.locator("#plan").get_by_role("button", name="Save").dblclick()
    expect(person.page.locator(".notice")).to_contain_text("Saved.")
    with person.client() as client:
        rows = client.get("/api/customers/interactions", params={"entityId": customer}).json()["items"]
    assert [row["title"] for row in rows] == ["Once"]


def test_a_change_from_elsewhere_appears_by_itself(person: Person) -> None:
    customer = person.new_customer()
    person.open("/backend/customer-tasks")
    call = person.planned(customer, "Call from Kafka", days=-1)
    expect(person.row(call)).to_contain_text("1 day late")
    with person.client() as client:
        assert client.post("/api/customers/interactions/cancel", json={"id": call}).status_code == 200
    expect(person.row(call)).to_have_count(0)


def test_every_count_equals_the_list_that_it_opens(person: Person) -> None:
    customer = person.new_customer()
    for number, days in enumerate((-40, -1, 0.001, 1, 2, 3, 9, 400)):
        person.planned(customer, f"Task {number}", days=days)
    with person.client() as client:
        body = {"entityId": customer, "interactionType": "task", "title": "No date"}
        assert client.post("/api/customers/interactions", json=body).status_code == 201
    person.open("/backend/customer-tasks")
    chips = person.page.locator(".chip[data-count]")
    counts = {chip.get_attribute("href"): chip.get_attribute("data-count") for chip in chips.all()}
    assert sum(int(count or 0) for count in counts.values()) == 9
    for address, count in counts.items():
        person.open(address or "")
        expect(person.page.locator("[data-row]")).to_have_count(int(count or 0))


@pytest.mark.parametrize(
    "title",
    [
        "<script>document.title='owned'</script>",
        "<img src=x onerror=alert(1)>",
        "\u202eesrever",
        "مرحبا بالعالم",
        "x" * 500,
        "'\"`{{7*7}}",
    ],
)
def test_hostile_texts_are_shown_as_text(person: Person, title: str) -> None:
    call = person.planned(
        person.new_customer(title[:200]), title, days=-1, body="<b>bold</b>\n" + "y" * 9_000
    )
    person.open("/backend/customer-tasks")
    expect(person.row(call).locator(".row-title")).to_have_text(title)
    assert "owned" not in person.page.title()
    width = person.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert width == 0
    person.open(f"/backend/interactions/{call}")
    expect(person.page.locator("h1")).to_have_text(title)


def test_without_script_reading_and_every_form_work(
    browser: Browser, pages: Gateway, world: Settings
) -> None:
    with Person.signed_in(browser, pages, world, java_script_enabled=False) as person:
        customer = person.new_customer()
        call = person.planned(customer, "Call", days=-1)
        page = person.page
        page.goto(f"{pages.url}/backend/customer-tasks")
        person.row(call).get_by_role("button", name="Complete").click()
        expect(page.locator(".notice")).to_contain_text("Marked as done.")
        assert person.stored(call)["status"] == "done"
        page.locator(".notice").get_by_role("button", name="Undo").click()
        expect(page.locator(".notice")).to_contain_text("Taken back.")
        page.goto(f"{pages.url}/backend/interactions/{call}")
        form = page.locator("form[id^=edit-]")
        form.get_by_label("Priority (0–100)").fill("500")
        form.get_by_label("Notes").fill("typed")
        form.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("Not saved. Your input is kept.")
        page.get_by_label("Priority (0–100)").fill("50")
        page.get_by_role("button", name="Send once more").click()
        expect(page.locator(".notice")).to_contain_text("Saved.")
        assert (person.stored(call)["priority"], person.stored(call)["body"]) == (50, "typed")


def test_the_keyboard_is_enough(person: Person) -> None:
    customer = person.new_customer()
    calls = [person.planned(customer, f"Call {number}", days=-3 + number) for number in range(2)]
    person.open("/backend/customer-tasks")
    person.page.keyboard.press("j")
    person.page.keyboard.press("j")
    person.page.keyboard.press("c")
    expect(person.row(calls[1])).to_have_class(re.compile(r"\bended\b"))
    assert person.stored(calls[1])["status"] == "done"
    person.page.keyboard.press("?")
    expect(person.page.locator("#keys")).to_be_visible()
    person.page.keyboard.press("Escape")
    person.page.keyboard.press("/")
    person.page.keyboard.type("jjj")
    expect(person.page.locator("input[type=search]")).to_have_value("jjj")
    expect(person.page).to_have_url(re.compile("q=jjj"))
    assert person.stored(calls[0])["status"] == "planned"


def test_the_zone_of_the_viewer_decides_the_day(browser: Browser, pages: Gateway, world: Settings) -> None:
    with Person.signed_in(browser, pages, world, timezone_id="Pacific/Kiritimati") as ahead:
        call = ahead.planned(ahead.new_customer(), "Call", days=-0.5)
        ahead.open("/backend/customer-tasks")
        expect(ahead.page.locator(".foot")).to_contain_text("Pacific/Kiritimati")
        local = datetime.now(UTC) + timedelta(hours=14)
        late = (local - timedelta(hours=12)).date() < local.date()
        expect(ahead.row(call)).to_contain_text("1 day late" if late else "Today")
        ahead.page.goto(f"{pages.url}/backend/settings")
        ahead.page.get_by_label("Time zone").select_option("Pacific/Pago_Pago")
        ahead.page.get_by_role("button", name="Save").click()
        expect(ahead.page.locator(".foot")).to_contain_text("Pacific/Pago_Pago")
