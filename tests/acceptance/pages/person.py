"""A signed-in person: a browser profile, a page, and what the test needs to know about the tenant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from playwright.sync_api import Browser, Locator, Page

from runtime.settings import Settings
from tests.harness.gateway import ALL_FEATURES, SECRET, USER, Gateway
from tests.harness.wire import event, new_id, outcomes
from web.sign_in.local_ticket import make_ticket

_SECONDS = 30_000
#: Failed requests that a test causes on purpose are reported by the browser in these words.
_EXPECTED = ("Failed to load resource", "net::ERR_")


class Person:
    """:ivar faults: errors of the pages' scripts and violations of their policy; none is ever right."""

    def __init__(
        self,
        page: Page,
        gateway: Gateway,
        settings: Settings,
        tenant: str,
        organization: str,
        features: Sequence[str] = ALL_FEATURES,
    ) -> None:
        self.page = page
        self.gateway = gateway
        self.settings = settings
        self.tenant = tenant
        self.organization = organization
        self.features = features
        self.faults: list[str] = []
        page.set_default_timeout(_SECONDS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._hear)

    @classmethod
    @contextmanager
    def signed_in(
        cls,
        browser: Browser,
        gateway: Gateway,
        settings: Settings,
        *,
        tenant: str | None = None,
        organization: str | None = None,
        user: str = USER,
        features: Sequence[str] = ALL_FEATURES,
        **options: Any,
    ) -> Iterator[Person]:
        """Open a browser profile and sign in; ``options`` are those of the profile."""
        options = {"timezone_id": "Europe/Berlin", "locale": "en-GB", **options}
        context = browser.new_context(**options)
        scope = tenant or new_id(), organization or new_id()
        person = cls(context.new_page(), gateway, settings, *scope, features)
        person.sign_in(user)
        try:
            yield person
        finally:
            context.close()

    def another(self, browser: Browser, **options: Any) -> AbstractContextManager[Person]:
        """Someone of the same organization in another browser profile; ``options`` as in ``signed_in``."""
        scope = {"tenant": self.tenant, "organization": self.organization}
        return Person.signed_in(browser, self.gateway, self.settings, **{**scope, **options})

    def sign_in(self, user: str = USER) -> None:
        """Follow a sign-in link."""
        identity = {
            "sub": user,
            "tenantId": self.tenant,
            "organizationId": self.organization,
            "features": list(self.features),
            "exp": int(time.time()) + 3600,
            "name": "Erika Mustermann",
        }
        self.page.goto(f"{self.gateway.url}/signin/local?ticket={make_ticket(SECRET.encode(), identity)}")

    def client(self) -> httpx2.Client:
        """The API with the person's rights."""
        return self.gateway.client(tenant=self.tenant, organization=self.organization)

    def open(self, path: str) -> None:
        """Open a page and wait until it is live."""
        with self.page.expect_response(lambda response: "/api/customers/stream" in response.url):
            self.page.goto(self.gateway.url + path)

    def new_customer(self, name: str = "Muster GmbH", kind: str = "person") -> str:
        """A customer of the tenant; return its id."""
        entity = new_id()
        data = {"id": entity, "kind": kind, "displayName": name}
        (result,) = outcomes(
            self.settings,
            [event("entity.upsert", entity, data, tenantid=self.tenant, organizationid=self.organization)],
        )
        assert result["outcome"] == "applied", result
        return entity

    def planned(self, entity: str, title: str, *, days: float = 0.0, **fields: Any) -> str:
        """A planned call, ``days`` from now; return its id."""
        moment = datetime.now(UTC) + timedelta(days=days)
        body = {
            "entityId": entity,
            "interactionType": "call",
            "title": title,
            "scheduledAt": moment.isoformat(),
        }
        with self.client() as client:
            answer = client.post("/api/customers/interactions", json={**body, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def stored(self, interaction: str) -> dict[str, Any]:
        """An interaction as the database has it."""
        with self.client() as client:
            answer = client.get(f"/api/customers/interactions/{interaction}")
        assert answer.status_code == 200, answer.text
        row: dict[str, Any] = answer.json()
        return row

    def row(self, interaction: str) -> Locator:
        """The row of an interaction on the page."""
        return self.page.locator(f"#i-{interaction}")

    def _hear(self, message: Any) -> None:
        if message.type == "error" and not message.text.startswith(_EXPECTED):
            self.faults.append(message.text)
