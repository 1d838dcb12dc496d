"""The end of a resolution over HTTP: a draft, a failure, or 504 with an address; never a silent success."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.settings import Settings
from tests.harness.completions_server import CompletionsServer, draft, respond
from tests.harness.gateway import Gateway, serving
from tests.harness.roles import running, wait_until
from tests.harness.wire import new_id
from tests.integration.api.signal_desk import DRAFTS, SIGNALS, Desk, operation

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def gateway(world: Settings) -> Iterator[Gateway]:
    """A gateway of a pipeline without the drafts role, which gives up after two seconds."""
    with (
        running(world, "applier"),
        running(world, "relay"),
        serving(world, INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="2") as found,
    ):
        yield found


@pytest.fixture
def desk(world: Settings, gateway: Gateway) -> Iterator[Desk]:
    """A user with every feature, in a tenant of the test."""
    with gateway.client(tenant=new_id(), organization=new_id()) as client:
        yield Desk(client, world, gateway)


def test_without_the_drafts_role_the_outcome_is_unknown_and_then_visible(desk: Desk) -> None:
    signal, key = desk.signal(), new_id()
    answer = desk.resolve(signal, key=key)
    assert (answer.status_code, answer.json()["code"]) == (504, "outcome_unknown")
    assert answer.json()["signalId"] == signal
    url = answer.headers["location"]
    assert url == answer.json()["commandUrl"] == f"/api/customers/commands/{answer.json()['commandId']}"
    assert "x-om-operation" not in answer.headers
    assert desk.client.get(url).json()["outcome"] == "applied", "the resolution has begun"
    shown = desk.read(f"{SIGNALS}/{signal}")
    assert (shown["status"], shown["drafts"], desk.ids(DRAFTS)) == ("resolving", [], [])
    other = desk.resolve(signal)
    assert (other.status_code, other.json()["signalId"]) == (504, signal), "another request resolves it"
    skipped = desk.client.post(f"{SIGNALS}/skip", json={"id": signal})
    assert (skipped.status_code, skipped.json()["code"]) == (409, "signal_resolving")
    with running(desk.settings, "drafts"):
        wait_until(lambda: desk.read(f"{SIGNALS}/{signal}")["status"] == "resolved", 60)
    (stored,) = desk.read(DRAFTS)["items"]
    repeated = desk.resolve(signal, key=key)
    assert (repeated.status_code, repeated.json()) == (200, {"ok": True, "draft": stored})
    assert desk.count("generated_drafts", signal_id=signal) == 1
    assert desk.undo(repeated).status_code == 200
    over = desk.resolve(signal, key=key)
    assert (over.status_code, over.json()["code"]) == (409, "not_resolving"), "it was undone"


def test_a_writer_that_fails_is_a_problem_and_the_signal_is_open(desk: Desk) -> None:
    with CompletionsServer() as server:
        server.default = respond(401)
        service = {
            "INTERACTIONS_DRAFTS_WRITER": "openai_compatible",
            "INTERACTIONS_DRAFTS_BASE_URL": server.url,
            "INTERACTIONS_DRAFTS_MODEL": "any",
        }
        with running(desk.settings, "drafts", **service):
            signal, key = desk.signal(), new_id()
            # The first event may take longer than the gateway waits, so the request is repeated.
            wait_until(lambda: desk.resolve(signal, key=key).status_code != 504, 60)
            failed = desk.resolve(signal, key=key)
            problem = failed.json()
            assert (failed.status_code, problem["code"]) == (409, "writer_misconfigured")
            assert failed.headers["content-type"] == "application/problem+json"
            assert not {"ok", "draft"} & set(problem)
            assert not {"x-om-operation", "etag"} & set(failed.headers)
            shown = desk.read(f"{SIGNALS}/{signal}")
            assert (shown["status"], shown["failure"]) == ("open", "writer_misconfigured")
            assert problem["detail"] == shown["failureDetail"]
            assert (shown["draftId"], desk.count("generated_drafts", signal_id=signal)) == (None, 0)
            # The service works now, and a new request resolves the signal.
            server.default = draft()
            wait_until(lambda: desk.resolve(signal).status_code == 200, 60)
            assert desk.ids(DRAFTS) == [desk.read(f"{SIGNALS}/{signal}")["draftId"]]
            first = desk.resolve(signal, key=key)
            assert (first.status_code, first.json()["code"]) == (409, "writer_misconfigured")


def test_a_key_keeps_its_own_resolution(desk: Desk) -> None:
    """After a later resolution, and after the draft was edited, sent or deleted."""
    with running(desk.settings, "drafts"):
        signal, key, later = desk.signal(), new_id(), new_id()
        wait_until(lambda: desk.resolve(signal, key=key).status_code == 200, 60)
        first = desk.resolve(signal, key=key)
        desk.client.post(f"{SIGNALS}/reopen", json={"id": signal})
        wait_until(lambda: desk.resolve(signal, key=later).status_code == 200, 60)
        identity = first.json()["draft"]["id"]
        assert desk.resolve(signal, key=later).json()["draft"]["id"] != identity
        desk.client.delete(DRAFTS, params={"id": identity})
        repeated = desk.resolve(signal, key=key)
        assert repeated.json()["draft"]["id"] == identity
        assert repeated.json()["draft"]["status"] == "deleted", "as it is stored"
        assert operation(repeated) == operation(first)
        assert desk.resolve(signal, key=key, channel="email").status_code == 422


def test_a_stale_condition_resolves_nothing(desk: Desk) -> None:
    signal = desk.signal()
    stale = desk.client.post(
        f"{SIGNALS}/resolve", json={"id": signal, "channel": "text"}, headers={"If-Match": '"1"'}
    )
    assert stale.status_code == 412
    assert desk.row("signals", signal, "status") == ("open",)


def test_a_signal_deleted_with_its_interaction_has_no_draft(desk: Desk) -> None:
    signal, key = desk.signal(), new_id()
    assert desk.resolve(signal, key=key).status_code == 504
    call = desk.read(f"{SIGNALS}/{signal}")["interactionId"]
    assert desk.client.delete("/api/customers/interactions", params={"id": call}).status_code == 200
    gone = desk.resolve(signal, key=key)
    assert (gone.status_code, gone.json()["code"]) == (404, "signal_not_found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"channel": "fax"}, "/channel"),
        ({"channel": "text", "language": "fr"}, "/language"),
        ({"channel": "text", "instruction": "x" * 1001}, "/instruction"),
        ({}, "/channel"),
    ],
)
def test_a_wrong_field_is_named(desk: Desk, body: dict[str, str], pointer: str) -> None:
    answer = desk.client.post(f"{SIGNALS}/resolve", json={"id": new_id(), **body})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
