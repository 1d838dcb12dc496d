"""Signals become drafts, and drafts are edited and sent, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Locator, expect

from runtime.settings import Settings
from tests.acceptance.pages.person import Person
from tests.harness.gateway import Gateway, serving
from tests.harness.roles import running
from tests.harness.wire import event, new_id, outcomes
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def silent_world(browser: Browser, embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """A pipeline whose writer never answers: the tests answer themselves."""
    with own_world(embedded_stack, template_database) as settings, ExitStack() as roles:
        for role in ("applier", "relay"):
            roles.enter_context(running(settings, role))
        yield settings


@pytest.fixture
def waiting(silent_world: Settings, browser: Browser) -> Iterator[Person]:
    """Someone whose gateway waits two seconds for a draft."""
    with (
        serving(
            silent_world,
            INTERACTIONS_API_LOCAL_SIGN_IN="true",
            INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="2",
        ) as gateway,
        Person.signed_in(browser, gateway, silent_world) as found,
    ):
        yield found
        assert found.faults == []


def test_the_six_steps(person: Person) -> None:
    first, second = (
        record(person, customer(person), title) for title in ("Send the price list", "Call back")
    )
    page = person.page
    person.open("/backend/signals")
    resolve(person, first, "Text message")
    expect(page.locator(".notice")).to_contain_text("Resolved. The draft is ready.")
    expect(text_of(person, first)).to_have_value(re.compile("Ada"))
    page.reload()
    expect(text_of(person, first)).to_have_value(re.compile("Ada"))
    draft = drafts(person)[0]
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("textarea[name=body]")).to_have_count(0)
    assert stored_draft(person, draft["id"])["status"] == "deleted"
    page.reload()
    expect(page.locator("textarea[name=body]")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("its draft was deleted")
    person.open("/backend/drafts")
    expect(page.locator("[data-row]")).to_have_count(0)
    person.open("/backend/signals")
    resolve(person, second, "Email")
    expect(text_of(person, second)).to_have_value(re.compile("Ada"))
    # The page of another tab, which does not know that it is resolved.
    again = person.gateway.url + f"/backend/signals/{second}"
    page.goto(again)
    with person.client() as client:
        assert client.post("/api/customers/signals/reopen", json={"id": second}).status_code == 200
    expect(page.locator("form[id^=resolve-]")).to_be_visible()
    with person.client() as client:
        body = {"id": second, "channel": "email"}
        assert client.post("/api/customers/signals/resolve", json=body).status_code == 200
    expect(text_of(person, second).first).to_have_value(re.compile("Ada"))
    assert {row["status"] for row in drafts(person)} == {"draft"}


def test_a_signal_that_is_resolved_already_shows_its_draft(person: Person) -> None:
    signal = record(person, customer(person), "Send the price list")
    person.open(f"/backend/signals/{signal}")
    # The page must not learn of the other resolution before the click.
    person.page.context.route(
        "**/*", lambda route: route.fulfill(status=204) if is_refresh(route) else route.continue_()
    )
    with person.client() as client:
        body = {"id": signal, "channel": "email"}
        assert client.post("/api/customers/signals/resolve", json=body).status_code == 200
    person.page.get_by_role("button", name="Write a draft").click()
    expect(text_of(person, signal)).to_have_value(re.compile("Ada"))
    assert len(drafts(person)) == 1


def test_the_resolution_can_be_undone(person: Person) -> None:
    signal = record(person, customer(person), "Send the price list")
    person.open(f"/backend/signals/{signal}")
    person.page.get_by_role("button", name="Write a draft").click()
    person.page.locator(".notice").get_by_role("button", name="Undo").click()
    expect(person.page.locator(".notice")).to_contain_text("Taken back.")
    expect(person.page.locator("form[id^=resolve-]")).to_be_visible()
    assert drafts(person) == []


def test_skip_with_a_reason_and_reopen(person: Person) -> None:
    signal = record(person, customer(person), "Who signs?")
    person.open("/backend/signals")
    row = person.page.locator(f"#s-{signal}")
    row.get_by_text("Skip").first.click()
    row.get_by_label("Reason").fill("Answered on the phone")
    row.get_by_role("button", name="Skip").click()
    expect(row).to_have_count(0)
    person.open(f"/backend/signals/{signal}")
    expect(person.page.locator(".history")).to_contain_text("Answered on the phone")
    person.page.get_by_role("button", name="Reopen").click()
    expect(person.page.locator("form[id^=resolve-]")).to_be_visible()


def test_without_a_person_the_button_is_disabled_until_one_is_chosen(person: Person) -> None:
    person.new_customer("Grace Hopper")
    signal = record(person, person.new_customer("Muster GmbH", kind="company"), "Who signs?")
    person.open("/backend/signals")
    row = person.page.locator(f"#s-{signal}")
    expect(row.get_by_role("button", name="Write a draft")).to_be_disabled()
    expect(row).to_contain_text("No person to contact")
    row.get_by_role("link", name="Choose the person").click()
    expect(person.page.get_by_role("button", name="Write a draft")).to_be_disabled()
    person.page.get_by_label("Search").fill("hopper")
    person.page.get_by_role("button", name="Search").click()
    person.page.get_by_role("button", name="Use").click()
    person.page.get_by_role("button", name="Write a draft").click()
    expect(text_of(person, signal)).to_have_value(re.compile("Grace"))


def test_typed_text_is_saved_by_itself(person: Person) -> None:
    draft = new_draft(person)
    person.open(f"/backend/drafts/{draft}")
    area = person.page.locator("textarea[name=body]")
    area.press_sequentially("First. ")
    expect(person.page.locator(".unsaved")).to_be_visible()
    expect(person.page.locator(".at")).to_be_visible()
    assert "First." in stored_draft(person, draft)["body"]
    area.fill("Second text & more\nline")
    expect(person.page.locator(".unsaved")).to_be_visible()
    expect(person.page.locator(".at")).to_be_visible()
    assert stored_draft(person, draft)["body"] == "Second text & more\nline"
    # The link carries the committed text.
    link = person.page.get_by_role("link", name="Open in mail program").get_attribute("href") or ""
    assert unquote(link).endswith("body=Second text & more\r\nline")
    person.page.reload()
    expect(area).to_have_value("Second text & more\nline")
    expect(person.page.locator(".problem")).to_be_empty()


def test_text_typed_during_a_save_is_saved_after_it(person: Person) -> None:
    draft = new_draft(person)
    person.open(f"/backend/drafts/{draft}")
    area = person.page.locator("textarea[name=body]")
    held: list[Any] = []
    count = "addEventListener('htmx:config:request', () => { window.saves = (window.saves || 0) + 1 }, true)"
    person.page.evaluate(count)
    pattern = f"**/backend/drafts/{draft}"
    person.page.route(
        pattern, lambda route: held.append(route) if is_post(route) and not held else route.continue_()
    )
    area.fill("one")
    wait_until(person, lambda: bool(held))
    area.fill("one two")
    # The second save begins while the first is on its way: it is queued.
    wait_until(person, lambda: person.page.evaluate("window.saves") == 2)
    held[0].continue_()
    expect(person.page.locator(".at")).to_be_visible()
    assert stored_draft(person, draft)["body"] == "one two"
    expect(person.page.locator(".problem")).to_be_empty()


@pytest.mark.parametrize("choice", ["mine", "theirs"])
def test_a_newer_text_is_never_overwritten_by_itself(person: Person, choice: str) -> None:
    draft = new_draft(person)
    person.open(f"/backend/drafts/{draft}")
    area = person.page.locator("textarea[name=body]")
    held: list[Any] = []
    pattern = f"**/backend/drafts/{draft}"
    person.page.route(
        pattern, lambda route: held.append(route) if is_post(route) and not held else route.continue_()
    )
    area.press_sequentially("x")
    wait_until(person, lambda: bool(held))
    with person.client() as client:
        theirs = {"id": draft, "subject": "Their subject", "body": "Theirs"}
        assert client.put("/api/customers/drafts", json=theirs).status_code == 200
    # The page refreshes by itself, except for the form that is being edited.
    expect(person.page.locator("h1")).to_have_text("Their subject")
    held[0].continue_()
    problem = person.page.locator("form.draft .problem")
    expect(problem).to_contain_text("changed in the meantime")
    expect(problem).to_contain_text("Theirs")
    with person.page.expect_response(lambda response: response.request.method == "POST") as answered:
        area.press_sequentially("y")
    assert answered.value.status == 409
    assert stored_draft(person, draft)["body"] == "Theirs"
    # A reload keeps the typed text, and it is still not saved over the newer one.
    person.page.reload()
    expect(area).to_have_value(re.compile("x"))
    expect(problem).to_contain_text("changed in the meantime")
    assert stored_draft(person, draft)["body"] == "Theirs"
    if choice == "mine":
        problem.get_by_role("button", name="Save my text instead").click()
        expect(problem).to_be_empty()
        expect(person.page.locator(".at")).to_be_visible()
        assert "x" in stored_draft(person, draft)["body"]
    else:
        problem.get_by_role("button", name="Take the stored text").click()
        expect(area).to_have_value("Theirs")
        expect(problem).to_be_empty()
        assert stored_draft(person, draft)["body"] == "Theirs"
        area.fill("Mine after theirs")
        expect(person.page.locator(".unsaved")).to_be_visible()
        expect(person.page.locator(".at")).to_be_visible()
        assert stored_draft(person, draft)["body"] == "Mine after theirs"


def test_a_change_from_elsewhere_appears_after_a_save(person: Person) -> None:
    draft = new_draft(person)
    person.open(f"/backend/drafts/{draft}")
    area = person.page.locator("textarea[name=body]")
    area.fill("Mine")
    expect(person.page.locator(".unsaved")).to_be_visible()
    expect(person.page.locator(".at")).to_be_visible()
    change_body(person, draft)("Theirs")
    expect(area).to_have_value("Theirs")


def test_an_empty_text_is_refused_and_kept(person: Person) -> None:
    draft = new_draft(person)
    before = stored_draft(person, draft)["body"]
    person.open(f"/backend/drafts/{draft}")
    person.page.locator("textarea[name=body]").fill("   ")
    expect(person.page.locator("form.draft .problem")).to_contain_text("A draft cannot be empty.")
    assert stored_draft(person, draft)["body"] == before


def test_copy_and_mark_sent_with_the_last_words(person: Person) -> None:
    draft = new_draft(person)
    person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    person.open(f"/backend/drafts/{draft}")
    person.page.locator("textarea[name=body]").fill("Last words")
    person.page.get_by_role("button", name="Copy").click()
    expect(person.page.get_by_role("button", name="Copied")).to_be_visible()
    assert person.page.evaluate("navigator.clipboard.readText()") == "Last words"
    # Sent at once, before the text has saved itself.
    person.page.get_by_role("button", name="Mark as sent").click()
    expect(person.page.locator(".notice")).to_contain_text("Marked as sent.")
    row = stored_draft(person, draft)
    assert (row["status"], row["body"]) == ("sent", "Last words")
    expect(person.page.locator("textarea[name=body]")).to_have_count(0)


def test_the_counts_of_the_dashboard_equal_the_lists(person: Person) -> None:
    entity = customer(person)
    for number in range(3):
        record(person, entity, f"Signal {number}")
    new_draft(person, entity)
    for name, expected in (("signals", 3), ("drafts", 1)):
        person.open("/backend/dashboard")
        chip = person.page.locator(f"a.chip[href='/backend/{name}']")
        expect(chip).to_have_attribute("data-count", str(expected))
        chip.click()
        expect(person.page.locator("[data-row]")).to_have_count(expected)


def test_a_failure_of_the_writer_is_shown_with_the_choices(waiting: Person) -> None:
    signal = record(waiting, customer(waiting), "Send the price list")
    waiting.open("/backend/signals")
    resolve(waiting, signal, "Email", instruction="Be brief")
    wait_until(waiting, lambda: stored_signal(waiting, signal)["status"] == "resolving")
    answer(waiting, signal, "signal.fail_draft", {"code": "writer_unavailable", "detail": "No route."})
    main = waiting.page.locator("main")
    expect(main).to_contain_text("The writer cannot be reached.")
    expect(main).to_contain_text("try once more")
    waiting.page.reload()
    expect(main).to_contain_text("The writer cannot be reached.")
    assert stored_signal(waiting, signal)["status"] == "open"


def test_a_slow_draft_appears_by_itself(waiting: Person) -> None:
    signal = record(waiting, customer(waiting), "Send the price list")
    waiting.open(f"/backend/signals/{signal}")
    waiting.page.get_by_role("button", name="Write a draft").click()
    expect(waiting.page.locator("main")).to_contain_text("A draft is being written.")
    expect(waiting.page.locator("main")).not_to_contain_text("Resolved")
    answer(waiting, signal, "signal.attach_draft", {"body": "Dear Ada", "writer": "test"})
    expect(text_of(waiting, signal)).to_have_value("Dear Ada")


@pytest.mark.parametrize(
    "text",
    [
        "<script>document.title='owned'</script>",
        "<img src=x onerror=alert(1)></textarea><b>",
        "\u202eesrever\u2066",
        "مرحبا بالعالم",
        "x" * 500,
        "'\"`{{7*7}}",
    ],
)
def test_hostile_texts_are_shown_as_text(person: Person, text: str) -> None:
    entity = customer(person, text[:200])
    signal = record(person, entity, text, body=text + "\n" + "y" * 9_000)
    with person.client() as client:
        body = {"id": signal, "channel": "email"}
        draft = client.post("/api/customers/signals/resolve", json=body).json()["draft"]["id"]
    long = text + "z" * (10_000 - len(text))
    change_body(person, draft)(long)
    record(person, entity, text, body=text)
    width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for path in ("signals", f"signals/{signal}", "drafts", f"drafts/{draft}"):
        person.open(f"/backend/{path}")
        assert person.page.title() != "owned"
        assert person.page.evaluate(width) == 0
    expect(person.page.locator("textarea[name=body]")).to_have_value(long)
    person.page.set_viewport_size({"width": 390, "height": 844})
    assert person.page.evaluate(width) == 0


def test_without_script_every_form_works(browser: Browser, pages: Gateway, world: Settings) -> None:
    with Person.signed_in(browser, pages, world, java_script_enabled=False) as person:
        signal, skipped = (record(person, customer(person), title) for title in ("First", "Second"))
        page = person.page
        page.goto(f"{pages.url}/backend/signals")
        resolve(person, signal, "Email")
        expect(page.locator(".notice")).to_contain_text("Resolved.")
        draft = drafts(person)[0]["id"]
        change_body(person, draft)("Theirs")
        page.locator("textarea[name=body]").fill("Mine")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("textarea[name=body]")).to_have_value("Mine")
        expect(page.locator(".problem")).to_contain_text("Theirs")
        assert stored_draft(person, draft)["body"] == "Theirs"
        page.get_by_role("button", name="Save my text instead").click()
        expect(page.locator(".notice")).to_contain_text("Saved.")
        assert stored_draft(person, draft)["body"] == "Mine"
        page.get_by_role("button", name="Mark as sent").click()
        expect(page.locator(".notice")).to_contain_text("Marked as sent.")
        page.goto(f"{pages.url}/backend/signals/{skipped}")
        page.get_by_label("Reason").fill("Nothing to do")
        page.get_by_role("button", name="Skip").click()
        expect(page.locator(".history")).to_contain_text("Nothing to do")


def customer(person: Person, name: str = "Ada Lovelace") -> str:
    """A person with an email address; return the id."""
    entity = new_id()
    data = {"id": entity, "kind": "person", "displayName": name, "primaryEmail": "ada@example.com"}
    send(person, "entity.upsert", entity, data)
    return entity


def record(person: Person, entity: str, title: str, **fields: Any) -> str:
    """A signal of a new interaction; return its id."""
    with person.client() as client:
        body = {"interactionId": person.planned(entity, "Offer"), "kind": "promise", "title": title, **fields}
        response = client.post("/api/customers/signals", json=body)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def new_draft(person: Person, entity: str | None = None) -> str:
    """The draft of a new signal; return its id."""
    with person.client() as client:
        body = {"id": record(person, entity or customer(person), "Send it"), "channel": "email"}
        response = client.post("/api/customers/signals/resolve", json=body)
    assert response.status_code == 200, response.text
    return str(response.json()["draft"]["id"])


def resolve(person: Person, signal: str, channel: str, instruction: str = "") -> None:
    """Fill in the form of a row in the list, and send it."""
    row = person.page.locator(f"#s-{signal}")
    row.locator("summary").filter(has_text="Write a draft").click()
    row.get_by_label("Channel").select_option(channel)
    row.get_by_label("Instruction").fill(instruction)
    row.get_by_role("button", name="Write a draft").click()


def text_of(person: Person, signal: str) -> Locator:
    """The text of the draft on the page of a signal."""
    expect(person.page).to_have_url(re.compile(f"/backend/signals/{signal}"))
    return person.page.locator("textarea[name=body]")


def change_body(person: Person, draft: str) -> Any:
    """A change of a draft's text by another client."""

    def change(text: str) -> None:
        with person.client() as client:
            assert client.put("/api/customers/drafts", json={"id": draft, "body": text}).status_code == 200

    return change


def drafts(person: Person) -> list[dict[str, Any]]:
    """Drafts that are not deleted."""
    with person.client() as client:
        items: list[dict[str, Any]] = client.get("/api/customers/drafts").json()["items"]
    return items


def stored_draft(person: Person, draft: str) -> dict[str, Any]:
    """A draft as the database has it."""
    with person.client() as client:
        row: dict[str, Any] = client.get(f"/api/customers/drafts/{draft}").json()
    return row


def stored_signal(person: Person, signal: str) -> dict[str, Any]:
    """A signal as the database has it."""
    with person.client() as client:
        row: dict[str, Any] = client.get(f"/api/customers/signals/{signal}").json()
    return row


def answer(person: Person, signal: str, kind: str, data: dict[str, Any]) -> None:
    """Answer a resolution as the drafts role would."""
    row = stored_signal(person, signal)
    send(person, kind, row["entityId"], {"id": signal, "resolution": row["resolution"], **data})


def send(person: Person, kind: str, entity: str, data: dict[str, Any]) -> None:
    """Publish a command and wait until it is applied."""
    scope = {"tenantid": person.tenant, "organizationid": person.organization}
    (result,) = outcomes(person.settings, [event(kind, entity, data, **scope)])
    assert result["outcome"] == "applied", result


def wait_until(person: Person, condition: Any) -> None:
    """Wait for a condition while the browser works."""
    for _ in range(200):
        if condition():
            return
        person.page.wait_for_timeout(50)
    raise AssertionError("the condition did not become true")


def is_post(route: Any) -> bool:
    """A form was sent."""
    return bool(route.request.method == "POST")


def is_refresh(route: Any) -> bool:
    """The page refreshes itself."""
    return "x-refresh" in route.request.headers
