"""Every page is accessible, light, and fits a phone, in both colour schemes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from runtime.postgres import connect
from runtime.settings import Settings
from sinks.jobs.store import create_job
from tests.acceptance.pages.integration_desk import (
    STATES,
    new_board,
    new_row,
    new_warning,
    switch_on,
)
from tests.acceptance.pages.person import Person
from tests.harness.chromium import WEIGHT
from tests.harness.gateway import USER, Gateway
from tests.harness.wire import new_id
from web.bulk import Bulk

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

#: Bytes of a page with everything that it loads, uncompressed.
_AT_MOST = 150_000
_SERIOUS = ("serious", "critical")


class Office:
    """A person with customers, and the addresses of the pages."""

    def __init__(self, person: Person) -> None:
        self.person = person
        customer = person.new_customer("Donaudampfschifffahrtsgesellschaftskapitänswitwenrentenkasse " * 3)
        person.new_customer("Muster AG", "company")
        calls = [person.planned(customer, f"Call {number}", days=number - 4) for number in range(12)]
        with person.client() as client:
            assert (
                client.post("/api/customers/interactions/complete", json={"id": calls[0]}).status_code == 200
            )
        self.paths = [
            "/backend/dashboard",
            "/backend/customer-tasks",
            "/backend/customer-tasks?group=overdue",
            "/backend/customer-tasks?group=due",
            "/backend/customer-tasks?group=done",
            f"/backend/customer-tasks?bulk={self._bulk(calls[0])}",
            "/backend/customer-tasks/all?group=overdue",
            f"/backend/customer-tasks/all/{self._job(calls[0])}",
            "/backend/customer-tasks/work",
            "/backend/customers/people",
            "/backend/customers/companies",
            f"/backend/customers/people/{customer}",
            f"/backend/customers/people/{customer}?tab=activities",
            *(f"/backend/interactions/{call}" for call in calls[:2]),
            "/backend/signals",
            "/backend/drafts",
            "/backend/settings",
            *self._integrations(calls[2:]),
            "/backend/operations",
            "/backend/operations/dead-letters",
            "/backend/interactions/00000000-0000-4000-8000-000000000009",
            "/docs/api",
            "/docs/api/create_interaction_api_customers_interactions_post",
            "/docs/api?q=nothing has this name",
            "/docs/events",
            "/docs/events/customers.interaction.updated",
        ]

    def _bulk(self, call: str) -> str:
        """Results of a bulk action with one of each state: they weigh most."""
        ids = (call, *(new_id() for _ in range(29)))
        return Bulk(action="complete", key=new_id(), interaction_ids=ids, unsent={call: "already_done"}).text

    def _job(self, call: str) -> str:
        """A job that is running, with refused tasks."""
        person, job_id = self.person, new_id()
        with connect(person.settings, application_name="test", autocommit=True) as connection:
            create_job(
                connection,
                job_id,
                "bulk",
                tenant_id=person.tenant,
                organization_id=person.organization,
                settings={"action": "complete"},
                requested_by=USER,
                total=1200,
            )
            report = {
                "tasks": {"applied": 300, "rejected": 4},
                "rejected": {"already_done": 4},
                "samples": {"already_done": [call, new_id()]},
            }
            connection.execute(
                "UPDATE jobs SET state = 'running', done = 304, active_seconds = 2, report = %s"
                " WHERE id = %s",
                (json.dumps(report), job_id),
            )
        return job_id

    def _integrations(self, calls: list[str]) -> list[str]:
        """Pages of an integration with more rows and warnings than a page lists."""
        person = self.person
        switch_on(person)
        board = new_board(person, state="needs_auth", reason="the provider refused the credentials: 401")
        for state, columns in STATES.items():
            for call in calls if state == "blocked" else [new_id() for _ in range(12)]:
                new_row(person, board, call, columns)
        for call in [*calls, *(new_id() for _ in range(20))]:
            new_warning(person, board, call)
        new_warning(person, board, new_id(), kind="failed", field=None, detail="blocked after 9 attempts")
        path = f"/backend/integrations/{board}"
        tabs = [f"{path}?tab={tab}" for tab in ("warnings", "ledger", "settings")]
        return ["/backend/integrations", path, *tabs, "/backend/integrations/add/caldav"]


@pytest.fixture(scope="module")
def office(world: Settings, pages: Gateway, browser: Browser) -> Iterator[Office]:
    with Person.signed_in(browser, pages, world, features=["*"]) as person:
        yield Office(person)


def colleague(office: Office, browser: Browser, **options: Any) -> AbstractContextManager[Person]:
    """A second browser profile of the same tenant."""
    person = office.person
    return person.another(
        browser,
        features=["*"],
        **options,
    )


@pytest.mark.parametrize(
    ("scheme", "rules"),
    [("light", {}), ("dark", {"runOnly": ["color-contrast"]})],  # the rest does not depend on colours
    ids=["light", "dark"],
)
def test_no_serious_finding(
    office: Office, browser: Browser, scheme: str, rules: dict[str, list[str]]
) -> None:
    with colleague(office, browser, color_scheme=scheme) as person:
        found = []
        for path in office.paths:
            person.page.goto(person.gateway.url + path)
            for violation in Axe().run(person.page, options=rules).response["violations"]:
                if violation["impact"] in _SERIOUS:
                    found += [(path, violation["id"], node["html"][:200]) for node in violation["nodes"]]
        assert found == []


def test_pages_fit_a_phone(office: Office, browser: Browser) -> None:
    with colleague(office, browser, viewport={"width": 390, "height": 844}) as person:
        wide = []
        for path in office.paths:
            person.page.goto(person.gateway.url + path)
            if person.page.evaluate("document.documentElement.scrollWidth") > 390:
                wide.append(path)
        assert wide == []


def test_pages_are_light(office: Office, browser: Browser) -> None:
    person = office.person
    customer = person.new_customer("Many tasks")
    for number in range(60):
        person.planned(
            customer, f"Task {number} with a title of a usual length", days=-number / 3, body="Text " * 1_900
        )
    heavy = {}
    for path in (*office.paths, f"/backend/customers/people/{customer}"):
        with colleague(office, browser) as visitor:
            visitor.page.goto(visitor.gateway.url + path)
            visitor.page.wait_for_load_state("load")
            size = visitor.page.evaluate(WEIGHT)
            if size > _AT_MOST:
                heavy[path] = size
    assert heavy == {}
