"""Sign-in to the pages: OpenID Connect, local links, sessions and their limits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from tests.harness.gateway import SECRET, Gateway, serving
from tests.harness.identity_provider import RECORD, SESSION, Browser, IdentityProvider, identity_provider
from tests.harness.roles import wait_until
from tests.harness.wire import ORGANIZATION, TENANT, new_id
from tests.stack_fixtures import own_world
from web.sign_in.local_ticket import make_ticket

pytestmark = pytest.mark.integration

PUBLIC = "https://crm.example"
IDENTITY = {
    "tenantId": TENANT,
    "organizationId": ORGANIZATION,
    "features": ["customers.view", "customers.edit"],
}


@pytest.fixture(scope="module")
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    with own_world(embedded_stack, template_database) as settings:
        yield settings


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as found:
        yield found


@pytest.fixture(scope="module")
def gateway(world: Settings, provider: IdentityProvider) -> Iterator[Gateway]:
    """A gateway with both ways to sign in."""
    with serving(
        world,
        INTERACTIONS_API_OIDC_ISSUER=provider.url,
        INTERACTIONS_API_OIDC_CLIENT_ID="pages",
        INTERACTIONS_API_OIDC_CLIENT_SECRET="the secret of the pages",
        INTERACTIONS_API_PUBLIC_URL=PUBLIC,
        INTERACTIONS_API_LOCAL_SIGN_IN="true",
    ) as found:
        yield found


@pytest.fixture
def browser(gateway: Gateway) -> Browser:
    return Browser(gateway.url)


@pytest.fixture
def user(provider: IdentityProvider) -> str:
    """A user of the provider."""
    subject = new_id()
    provider.set_user(subject, name="Erika Mustermann", **IDENTITY)
    return subject


def begin(browser: Browser, path: str = "/backend/customers/people") -> str:
    """Begin a sign-in; return the address at the provider."""
    begun = browser.get(f"/signin/oidc?next={path}")
    assert begun.status_code == 303, begun.text
    return begun.headers["location"]


def sign_in(
    browser: Browser, provider: IdentityProvider, user: str, path: str = "/backend/x"
) -> httpx2.Response:
    return browser.get(provider.approve(begin(browser, path), user))


def ticket_path(secret: str = SECRET, **identity: Any) -> str:
    """A link as ``interactions open`` makes it, without host."""
    who = {"sub": new_id(), "name": "Local user", **IDENTITY, **identity}
    return f"/signin/local?ticket={make_ticket(secret.encode(), who)}"


def row(settings: Settings, browser: Browser) -> Any:
    with connect(settings, application_name="test", autocommit=True) as connection:
        return connection.execute(
            "SELECT subject, tenant_id::text, features, display_name, csrf, last_seen_at,"
            " extract(epoch FROM expires_at - created_at)::float8 FROM web_sessions WHERE id = %s",
            [key(browser)],
        ).fetchone()


def change(settings: Settings, browser: Browser, assignment: str) -> None:
    with connect(settings, application_name="test", autocommit=True) as connection:
        done = connection.execute(f"UPDATE web_sessions SET {assignment} WHERE id = %s", [key(browser)])
        assert done.rowcount == 1


def key(browser: Browser) -> bytes:
    return hashlib.sha256(browser.cookies[SESSION].encode()).digest()


def test_the_whole_flow(browser: Browser, provider: IdentityProvider, world: Settings, user: str) -> None:
    address = begin(browser)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"{PUBLIC}/signin/callback"
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    (record,) = browser.set_cookies
    assert asked["nonce"] not in record
    assert "people" not in record

    done = browser.get(provider.approve(address, user))

    assert (done.status_code, done.headers["location"]) == (303, "/backend/customers/people")
    session = next(line for line in browser.set_cookies if line.startswith(f"{SESSION}="))
    flags = {part.strip().lower() for part in session.split(";")[1:]}
    assert flags == {"path=/", "httponly", "secure", "samesite=lax"}
    assert not any(name.startswith(RECORD) for name in browser.cookies)
    subject, tenant, features, name, _csrf, _seen, lifetime = row(world, browser)
    assert (subject, tenant, name) == (user, TENANT, "Erika Mustermann")
    assert features == sorted(IDENTITY["features"])
    assert lifetime == pytest.approx(24 * 3600)
    assert browser.signed_in()


def test_the_value_of_the_cookie_is_not_stored(
    browser: Browser, provider: IdentityProvider, world: Settings, user: str
) -> None:
    sign_in(browser, provider, user)
    with connect(world, application_name="test") as connection:
        texts = connection.execute("SELECT web_sessions::text FROM web_sessions").fetchall()
    assert texts
    assert not any(browser.cookies[SESSION] in text for (text,) in texts)


def test_the_identity_may_end_earlier(browser: Browser, provider: IdentityProvider, world: Settings) -> None:
    subject = new_id()
    with connect(world, application_name="test") as connection:
        found = connection.execute("SELECT extract(epoch FROM now())::float8 + 600").fetchone()
    assert found is not None
    provider.set_user(subject, sessionExpiresAt=found[0], **IDENTITY)
    sign_in(browser, provider, subject)
    assert row(world, browser)[6] == pytest.approx(600, abs=60)


def test_an_identity_without_a_tenant_is_refused(browser: Browser, provider: IdentityProvider) -> None:
    subject = new_id()
    provider.set_user(subject, name="Nobody")
    done = sign_in(browser, provider, subject)
    assert done.status_code == 403
    assert "tenantId" in done.text
    assert SESSION not in browser.cookies


@pytest.mark.parametrize("ends_at", [7, -1, 10**400])
def test_an_identity_that_has_ended_is_refused(
    browser: Browser, provider: IdentityProvider, ends_at: int
) -> None:
    """A session that has ended would lead the browser to the provider and back without end."""
    subject = new_id()
    provider.set_user(subject, sessionExpiresAt=ends_at, **IDENTITY)
    done = sign_in(browser, provider, subject)
    assert done.status_code == 403
    assert SESSION not in browser.cookies


def test_another_state_is_refused(gateway: Gateway, provider: IdentityProvider, user: str) -> None:
    mine, other = Browser(gateway.url), Browser(gateway.url)
    back = provider.approve(begin(mine), user)
    assert other.get(back).status_code == 403, "a callback without the record of this browser"
    begin(other)
    (foreign,) = [value for name, value in other.cookies.items() if name.startswith(RECORD)]
    (name,) = [name for name in mine.cookies if name.startswith(RECORD)]
    mine.cookies[name] = foreign
    swapped = mine.get(back)
    assert swapped.status_code == 403, "the record of another sign-in"
    assert "not begun in this browser" in swapped.text, "refused before the code is used"
    assert SESSION not in mine.cookies | other.cookies


def test_a_code_of_another_sign_in_is_refused(
    browser: Browser, provider: IdentityProvider, user: str
) -> None:
    """An injected code brings an ID token with another nonce."""
    first, second = (parse_qs(urlsplit(provider.approve(begin(browser), user)).query) for _ in range(2))
    done = browser.get(f"/signin/callback?code={first['code'][0]}&state={second['state'][0]}")
    assert done.status_code == 403
    assert SESSION not in browser.cookies


def test_two_tabs_sign_in_at_once(browser: Browser, provider: IdentityProvider, user: str) -> None:
    first, second = begin(browser, "/backend/a"), begin(browser, "/backend/b")
    for address, path in ((first, "/backend/a"), (second, "/backend/b")):
        assert browser.get(provider.approve(address, user)).headers["location"] == path


def test_a_refusal_is_shown(browser: Browser, provider: IdentityProvider) -> None:
    back = provider.deny(begin(browser))
    state = parse_qs(urlsplit(begin(browser)).query)["state"][0]
    done = browser.get(f"/signin/callback?error={parse_qs(urlsplit(back).query)['error'][0]}&state={state}")
    assert done.status_code == 403
    assert "access_denied" in done.text


@pytest.mark.parametrize(
    "path", ["//evil.example", "/%5Cevil.example", "https://evil.example/", "%2F%09%2Fevil.example", "evil"]
)
def test_only_paths_of_this_site_are_followed(
    browser: Browser, provider: IdentityProvider, user: str, path: str
) -> None:
    assert sign_in(browser, provider, user, path).headers["location"] == "/backend/dashboard"
    assert browser.get(f"/signin?next={path}").headers["location"] == "/backend/dashboard"


def test_each_sign_in_has_a_fresh_value(browser: Browser, provider: IdentityProvider, user: str) -> None:
    browser.cookies[SESSION] = "planted"
    sign_in(browser, provider, user)
    first = browser.cookies[SESSION]
    assert first != "planted"
    sign_in(browser, provider, user)
    assert browser.cookies[SESSION] != first
    former = Browser(browser.url, {SESSION: first})
    assert not former.signed_in(), "the former session has ended"


def test_sign_out(browser: Browser, provider: IdentityProvider, world: Settings, user: str) -> None:
    sign_in(browser, provider, user)
    token = row(world, browser)[4]
    former = Browser(browser.url, dict(browser.cookies))
    assert former.signed_in(), "now it is cached"
    assert browser.post("/signout", {"csrf": "another"}).status_code == 403
    assert browser.post("/signout", {"csrf": token}, site="cross-site").status_code == 403
    assert browser.post("/signout", {"csrf": token}, site=None).status_code == 403
    assert browser.signed_in()

    done = browser.post("/signout", {"csrf": token})

    assert f"{provider.url}/oauth2/end_session" in done.headers["refresh"]
    assert "post_logout_redirect_uri=https%3A%2F%2Fcrm.example%2Fsignin" in done.headers["refresh"]
    assert SESSION not in browser.cookies
    assert not former.signed_in()


def test_the_stream_ends_with_the_session(browser: Browser, world: Settings) -> None:
    browser.get(ticket_path())
    headers = {"Cookie": f"{SESSION}={browser.cookies[SESSION]}"}
    with httpx2.stream("GET", f"{browser.url}/api/customers/stream", headers=headers, timeout=30) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        assert next(lines) == "event: ready"
        browser.post("/signout", {"csrf": row(world, browser)[4]})
        assert not [line for line in lines if line.startswith("event: invalidate")], "it ends by itself"


def test_idle_sessions_end(browser: Browser, world: Settings) -> None:
    browser.get(ticket_path())
    change(world, browser, "last_seen_at = now() - interval '8 hours 1 second'")
    wait_until(lambda: not browser.signed_in(), 20)


def test_sessions_end_after_a_day(browser: Browser, world: Settings) -> None:
    browser.get(ticket_path())
    change(world, browser, "expires_at = now() - interval '1 second'")
    wait_until(lambda: not browser.signed_in(), 20)
    last = key(browser)
    Browser(browser.url).get(ticket_path())
    with connect(world, application_name="test") as connection:
        left = connection.execute("SELECT 1 FROM web_sessions WHERE id = %s", [last]).fetchone()
    assert left is None, "each sign-in deletes expired sessions"


def test_use_is_recorded_once_per_minute(gateway: Gateway, world: Settings) -> None:
    recent, older = Browser(gateway.url), Browser(gateway.url)
    for browser, age in ((recent, "30 seconds"), (older, "2 minutes")):
        browser.get(ticket_path())
        change(world, browser, f"last_seen_at = now() - interval '{age}'")
    before = row(world, recent)[5], row(world, older)[5]
    assert recent.signed_in()
    assert older.signed_in()
    assert row(world, recent)[5] == before[0]
    assert row(world, older)[5] > before[1]


def test_a_cookie_authorizes_no_call_of_the_api(browser: Browser) -> None:
    browser.get(ticket_path())
    assert browser.signed_in()
    assert browser.get("/api/customers/interactions").status_code == 401
    assert browser.post("/api/customers/interactions", {}).status_code == 401
    assert browser.post("/api/customers/stream/cookie", {}).status_code == 401
    assert browser.get("/signin/../api/customers/interactions").status_code == 401


def test_a_token_of_the_api_opens_no_page(gateway: Gateway) -> None:
    with gateway.client() as client:
        page = client.get("/backend/dashboard", follow_redirects=False)
        form = client.post("/backend/interactions", data={"do": "complete"})
    assert page.status_code == 303
    assert page.headers["location"] == "/signin?next=%2Fbackend%2Fdashboard"
    assert form.status_code in (401, 403)


def test_a_local_link_is_used_once(gateway: Gateway, world: Settings) -> None:
    browser, other = Browser(gateway.url), Browser(gateway.url)
    path = ticket_path()
    done = browser.get(path + "&next=/backend/customer-tasks")
    assert (done.status_code, done.headers["location"]) == (303, "/backend/customer-tasks")
    assert row(world, browser)[3] == "Local user"
    assert other.get(path).status_code == 403
    assert SESSION not in other.cookies
    assert browser.get(path).status_code == 303, "the back button of a signed-in browser"


def test_a_link_still_counts_as_used_after_sign_out(gateway: Gateway, world: Settings) -> None:
    browser = Browser(gateway.url)
    path = ticket_path()
    browser.get(path)
    browser.post("/signout", {"csrf": row(world, browser)[4]})
    assert browser.get(path).status_code == 403


def test_forged_links_are_refused(browser: Browser, gateway: Gateway) -> None:
    assert browser.get(ticket_path("another secret that is long enough too")).status_code == 403
    assert browser.get("/signin/local").status_code == 403
    bearer = ticket_path().partition("ticket=")[2]
    with gateway.client(bearer) as client:
        assert client.get("/api/customers/interactions").status_code == 401, "a ticket is no bearer token"


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example:8080"}, {"X-Forwarded-For": "10.0.0.9"}, {"Forwarded": "for=10.0.0.9"}]
)
def test_local_links_work_on_loopback_only(browser: Browser, headers: dict[str, str]) -> None:
    path = ticket_path()
    assert browser.get(path, **headers).status_code == 403
    assert browser.get(path).status_code == 303, "it was not used up"


def test_pages_are_confined(browser: Browser) -> None:
    for path in ("/signin", "/signin/callback?state=x"):
        headers = browser.get(path).headers
        assert "script-src 'self';" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
    assert "content-security-policy" not in browser.get("/healthz").headers


def test_an_asset_says_which_methods_it_has(browser: Browser) -> None:
    refused = httpx2.post(f"{browser.url}/assets/app.css")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_without_a_way_to_sign_in(world: Settings) -> None:
    with serving(world) as plain:
        browser = Browser(plain.url)
        assert browser.get("/signin").status_code == 200
        assert browser.get("/signin/oidc").status_code == 404
        assert browser.get(ticket_path()).status_code == 404


def test_an_unavailable_provider(world: Settings) -> None:
    with serving(
        world,
        INTERACTIONS_API_OIDC_ISSUER="http://127.0.0.1:9",
        INTERACTIONS_API_OIDC_CLIENT_ID="pages",
        INTERACTIONS_API_OIDC_CLIENT_SECRET="the secret of the pages",
        INTERACTIONS_API_PUBLIC_URL=PUBLIC,
    ) as alone:
        browser = Browser(alone.url)
        assert (
            browser.get("/signin?next=/backend/a").headers["location"] == "/signin/oidc?next=%2Fbackend%2Fa"
        )
        assert browser.get("/signin?signed_out=1").status_code == 200, "no sign-in by itself after a sign-out"
        done = browser.get("/signin/oidc")
        assert done.status_code == 503
        assert "not signed in" in done.text
