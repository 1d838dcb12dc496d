"""Sign-in and sign-out in a real browser, which keeps the cookies and enforces the policies."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from runtime.settings import Settings
from tests.harness.gateway import SECRET, Gateway, serving
from tests.harness.identity_provider import SESSION, IdentityProvider, identity_provider
from tests.harness.wire import ORGANIZATION, TENANT, new_id
from tests.stack_fixtures import own_world
from web.sign_in.local_ticket import make_ticket

pytestmark = pytest.mark.integration

IDENTITY = {"tenantId": TENANT, "organizationId": ORGANIZATION, "features": ["*"], "name": "Erika Mustermann"}


@pytest.fixture(scope="module")
def plain_world(browser: Browser, embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """Servers without roles; only where there is a browser."""
    with own_world(embedded_stack, template_database) as settings:
        yield settings


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    """A provider on another site than the pages: their cookies are not sent to each other's requests."""
    with identity_provider() as found:
        yield IdentityProvider(found.url.replace("127.0.0.1", "localhost"))


@pytest.fixture(scope="module")
def gateway(plain_world: Settings, provider: IdentityProvider) -> Iterator[Gateway]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(
        plain_world,
        INTERACTIONS_API_PORT=str(port),
        INTERACTIONS_API_PUBLIC_URL=f"http://127.0.0.1:{port}",
        INTERACTIONS_API_OIDC_ISSUER=provider.url,
        INTERACTIONS_API_OIDC_CLIENT_ID="pages",
        INTERACTIONS_API_OIDC_CLIENT_SECRET="the secret of the pages",
        INTERACTIONS_API_LOCAL_SIGN_IN="true",
    ) as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def session_cookies(page: Page) -> list[str]:
    return [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == SESSION]


def sign_out(page: Page) -> None:
    """Send the form of the frame, wherever it is shown."""
    page.locator("form[action='/signout']").evaluate("form => form.requestSubmit()")


def test_at_the_identity_provider(page: Page, gateway: Gateway, provider: IdentityProvider) -> None:
    user = new_id()
    provider.set_user(user, **IDENTITY)
    page.goto(f"{gateway.url}/backend/customer-tasks")
    page.locator("a[href^='/signin/oidc']").click()
    page.wait_for_url(f"{provider.url}/**")
    page.locator("input[type=text][name=sub]").fill(user)
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url(f"{gateway.url}/backend/customer-tasks")
    assert len(session_cookies(page)) == 1

    sign_out(page)

    page.wait_for_url(f"{provider.url}/oauth2/end_session*")
    assert session_cookies(page) == []
    page.goto(f"{gateway.url}/backend/customer-tasks")
    page.wait_for_url(f"{gateway.url}/signin?*")


def test_by_a_local_link(page: Page, gateway: Gateway) -> None:
    ticket = make_ticket(SECRET.encode(), {"sub": new_id(), **IDENTITY})
    link = f"{gateway.url}/signin/local?ticket={ticket}&next=/backend/customer-tasks"
    page.goto(link)
    page.wait_for_url(f"{gateway.url}/backend/customer-tasks")
    (cookie,) = [found for found in page.context.cookies() if found["name"] == SESSION]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    assert cookie["value"] not in page.evaluate("document.cookie")
    stream = """() => new Promise(done => {
        const stream = new EventSource("/api/customers/stream");
        stream.addEventListener("ready", () => { stream.close(); done("ready") });
        stream.onerror = () => { stream.close(); done("error") };
    })"""
    assert page.evaluate(stream) == "ready"
    write = "async () => (await fetch('/api/customers/interactions', {method: 'POST'})).status"
    assert page.evaluate(write) == 401

    page.context.clear_cookies()
    page.goto(link)
    expect(page.get_by_role("alert")).to_contain_text("interactions open")
    assert session_cookies(page) == []


def test_a_form_of_another_site_signs_nobody_out(
    page: Page, gateway: Gateway, provider: IdentityProvider
) -> None:
    ticket = make_ticket(SECRET.encode(), {"sub": new_id(), **IDENTITY})
    page.goto(f"{gateway.url}/signin/local?ticket={ticket}")
    before = session_cookies(page)
    page.goto(provider.url)
    page.evaluate(
        """url => { const form = document.createElement("form");
        form.method = "post"; form.action = url; document.body.append(form); form.submit() }""",
        f"{gateway.url}/signout",
    )
    page.wait_for_url(f"{gateway.url}/signout")
    expect(page.get_by_role("alert")).to_contain_text("did not come from a page of this site")
    assert session_cookies(page) == before
    page.goto(f"{gateway.url}/backend/customer-tasks")
    assert page.url == f"{gateway.url}/backend/customer-tasks"
