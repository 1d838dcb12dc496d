"""The event stream: changes of other processes arrive in order, and none is missed."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from connectors.service.integration_events import IntegrationEvents
from runtime.acknowledged_sender import AcknowledgedSender
from runtime.codec import make_codec
from runtime.settings import Settings
from schemas import cache_tags
from schemas.topics import INTEGRATION_EVENTS
from tests.harness.gateway import Gateway, serving
from tests.harness.integrations import an_integration
from tests.harness.roles import wait_until
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id, outcomes

pytestmark = pytest.mark.integration
PATH = "/api/customers/stream"


@pytest.fixture(scope="module")
def second(pipeline: Settings) -> Iterator[Gateway]:
    """Another process on the same pipeline."""
    with serving(pipeline) as found:
        yield found


class Listening:
    """An open stream, read in a thread."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.last_id: str | None = None
        self.ended = threading.Event()
        self._answer = answer
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        name = ""
        with contextlib.suppress(httpx2.HTTPError, httpx2.StreamError, OSError, RuntimeError):
            for line in self._answer.iter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("id: "):
                    self.last_id = line[4:]
                elif line.startswith("data: "):
                    self.events.append((name, json.loads(line[6:])))
        self.ended.set()

    def wait_for(self, name: str, tag: str | None = None) -> dict[str, Any]:
        """The first event with this name (and tag)."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [
                data for kind, data in list(self.events) if kind == name and (not tag or tag in data["tags"])
            ]
            return bool(found)

        wait_until(there, 20, lambda: f"{name} {tag} among {self.events}")
        return found[0]


@contextlib.contextmanager
def listening(
    client: httpx2.Client, last_id: str | None = None, *, in_query: bool = False
) -> Iterator[Listening]:
    given = {} if last_id is None else {"last_event_id" if in_query else "Last-Event-ID": last_id}
    headers, query = ({}, given) if in_query else (given, {})
    with client.stream("GET", PATH, headers=headers, params=query) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = Listening(answer)
        try:
            yield found
        finally:
            # The thread still reads. Only closing the socket ends its wait and disconnects from the server.
            with contextlib.suppress(OSError):
                answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            found.ended.wait(10)


def told(seen: Listening) -> list[str]:
    return [data["interactionId"] for name, data in list(seen.events) if name == "invalidate"]


def test_a_change_by_another_process_reaches_the_stream(
    second: Gateway, client: httpx2.Client, customer: str
) -> None:
    """Writer and reader build the tag by one function, in two processes."""
    with (
        second.client() as reader,
        second.client(organization=new_id()) as stranger,
        listening(reader) as seen,
        listening(stranger) as strange,
    ):
        seen.wait_for("ready")
        strange.wait_for("ready")
        made = client.post(
            "/api/customers/interactions",
            json={
                "entityId": customer,
                "interactionType": "call",
                "title": "a secret title",
                "scheduledAt": "2027-03-01T09:00:00Z",
            },
        )
        change = seen.wait_for("invalidate", cache_tags.interactions_of_entity(customer))
        assert change["interactionId"] == made.json()["id"]
        assert cache_tags.interaction_list(TENANT, ORGANIZATION) in change["tags"]
        assert cache_tags.next_interaction_of_entity(customer) in change["tags"]
        assert "secret" not in json.dumps(seen.events), "no customer text on a stream"
        shown = reader.get(f"/api/customers/interactions/{change['interactionId']}")
        assert shown.json()["title"] == "a secret title", "a client that receives the tag can read the row"
        assert [name for name, _ in strange.events] == ["ready"]


@pytest.mark.parametrize("in_query", [False, True])
def test_a_stream_resumes_at_its_position(
    gateway: Gateway, second: Gateway, client: httpx2.Client, customer: str, in_query: bool
) -> None:
    with gateway.client() as reader, listening(reader) as seen:
        seen.wait_for("ready")
        position = seen.last_id
    assert position is not None
    body = {"entityId": customer, "interactionType": "call"}
    made = [client.post("/api/customers/interactions", json=body).json()["id"] for _ in range(3)]
    with second.client() as reader, listening(reader, position, in_query=in_query) as seen:
        seen.wait_for("ready")
        # The responses may arrive before the results are on the topic, and so may "ready".
        wait_until(lambda: len(told(seen)) >= 3, 20, lambda: f"three changes among {seen.events}")
        assert told(seen) == made, "also by another process, in order and each once"
        after = seen.last_id
    with gateway.client() as reader, listening(reader, after) as seen:
        seen.wait_for("ready")
        assert [name for name, _ in seen.events] == ["ready"]


def test_a_changed_mapping_reaches_the_stream_and_its_backlog(
    gateway: Gateway, second: Gateway, pipeline: Settings, customer: str
) -> None:
    """Spec, "Cache Policy": a mapping's upsert invalidates its tag and the list and detail tags."""
    board = an_integration("board-1", TENANT, ORGANIZATION, provider="trello")
    encode = make_codec(pipeline, INTEGRATION_EVENTS).encode
    events = IntegrationEvents(AcknowledgedSender(pipeline).send, encode)
    made = [new_id() for _ in range(3)]

    def tell(identity: str) -> None:
        tags = [
            cache_tags.interaction_mapping(board.id, TENANT, ORGANIZATION),
            cache_tags.interaction_list(TENANT, ORGANIZATION),
            cache_tags.interactions_of_entity(customer),
        ]
        data = {"interactionId": identity, "invalidates": tags}
        events.announce("mapping_changed", board, customer, data)

    tag = cache_tags.interaction_mapping(board.id, TENANT, ORGANIZATION)
    with (
        gateway.client() as reader,
        gateway.client(organization=new_id()) as stranger,
        listening(reader) as seen,
        listening(stranger) as strange,
    ):
        seen.wait_for("ready")
        strange.wait_for("ready")
        tell(made[0])
        change = seen.wait_for("invalidate", tag)
        assert change["interactionId"] == made[0]
        assert set(change["tags"]) > {tag, cache_tags.interactions_of_entity(customer)}
        events.announce("health_changed", board, None, {"healthy": False})
        position = seen.last_id
        assert [name for name, _ in strange.events] == ["ready"]
    for identity in made[1:]:
        tell(identity)
    with second.client() as reader, listening(reader, position) as seen:
        wait_until(lambda: len(told(seen)) >= 2, 20, lambda: f"two mappings among {seen.events}")
        assert told(seen) == made[1:], "also by another process, and each once"


def test_a_flag_of_the_tenant_reaches_all_its_organizations(gateway: Gateway, pipeline: Settings) -> None:
    tenant = new_id()
    with gateway.client(tenant=tenant, organization=new_id()) as reader, listening(reader) as seen:
        seen.wait_for("ready")
        flag = {"flag": "customers.interactions.external-sync", "enabled": True}
        (result,) = outcomes(pipeline, [event("feature_flag.set", tenant, flag, tenant=tenant)])
        assert result["outcome"] == "applied"
        change = seen.wait_for("invalidate", cache_tags.feature_flags(tenant))
        assert change == {"tags": [cache_tags.feature_flags(tenant)]}


def test_a_stream_ends_with_its_token(gateway: Gateway) -> None:
    """A token is accepted for ten more seconds, so one that has just expired still opens a stream."""
    with gateway.client(expires_in=-1) as reader, listening(reader) as seen:
        seen.wait_for("expired")
        assert seen.ended.wait(10)
        assert [name for name, _ in seen.events] == ["ready", "expired"]


def test_a_browser_is_authorized_by_a_cookie(gateway: Gateway, client: httpx2.Client, customer: str) -> None:
    """EventSource sends cookies but no custom headers."""
    set_by = client.post(f"{PATH}/cookie")
    assert set_by.status_code == 204
    cookie, *attributes = set_by.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "Secure", "SameSite=strict", f"Path={PATH}"} <= set(attributes)
    with httpx2.Client(base_url=gateway.url, headers={"Cookie": cookie}, timeout=30) as browser:
        with listening(browser) as seen:
            seen.wait_for("ready")
            client.post("/api/customers/interactions", json={"entityId": customer, "interactionType": "call"})
            seen.wait_for("invalidate", cache_tags.interactions_of_entity(customer))
        assert browser.get("/api/customers/interactions").status_code == 401, "nothing but the stream"
        assert browser.post(f"{PATH}/cookie").status_code == 401
    assert "Max-Age=0" in client.delete(f"{PATH}/cookie").headers["set-cookie"]


def test_limits_and_the_end_of_a_process(pipeline: Settings, customer: str) -> None:
    small: dict[str, Any] = {"INTERACTIONS_API_STREAM_BACKLOG": "0", "INTERACTIONS_API_STREAM_CLIENTS": "1"}
    with serving(pipeline, **small) as own, own.client() as reader:
        with listening(reader) as seen:
            seen.wait_for("ready")
            position = seen.last_id
            assert reader.get(PATH).status_code == 503, "one stream more than it holds"
            # The response may precede the result on the topic. A streamed change was consumed for sure.
            reader.post("/api/customers/interactions", json={"entityId": customer, "interactionType": "call"})
            seen.wait_for("invalidate")
        wait_until(lambda: b"interactions_http_streams 0.0" in reader.get("/metrics").content, 30)
        with listening(reader, position) as seen:
            seen.wait_for("resync")
        wait_until(lambda: b"interactions_http_streams 0.0" in reader.get("/metrics").content, 30)
        with listening(reader, "nonsense") as seen:
            seen.wait_for("resync")
            assert seen.last_id is not None, "the next attempt has a position"
        wait_until(lambda: b"interactions_http_streams 0.0" in reader.get("/metrics").content, 30)
        with listening(reader) as seen:
            seen.wait_for("ready")
            assert own.role.stop(15) == 0, "an open stream does not keep a process from ending"
            assert seen.ended.wait(5)
