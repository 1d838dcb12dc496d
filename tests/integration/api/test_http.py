"""HTTP semantics of every route: methods, media types, parameters, conditions, deadlines."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
import pytest

from runtime.settings import Settings
from tests.harness.gateway import Gateway, serving
from tests.harness.wire import event, new_id, outcomes

pytestmark = pytest.mark.integration
PATH = "/api/customers/interactions"


def _named(answer: httpx2.Response) -> set[tuple[str, str]]:
    assert answer.status_code == 400, answer.text
    return {(error["code"], error["attribute"]) for error in answer.json()["errors"]}


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        PATH,
        "/api/customers/people",
        "/api/customers/flags",
        "/api/customers/stream",
        "/openapi.json",
    ],
)
def test_head_is_answered_like_get(client: httpx2.Client, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    if path != "/api/customers/stream":
        assert answer.headers["content-type"] == client.get(path).headers["content-type"]


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (f"{PATH}/complete", "GET, HEAD, POST"),  # "complete" could be an id as well
        ("/api/customers/people", "GET, HEAD, POST, PUT"),
        ("/api/customers/stream", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
    ],
)
def test_a_405_lists_every_allowed_method(client: httpx2.Client, path: str, allow: str) -> None:
    answer = client.patch(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "", "application/jsonp"])
def test_a_body_that_is_not_declared_as_json(client: httpx2.Client, kind: str) -> None:
    answer = client.put(PATH, content=b"{}", headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    merge = {"Content-Type": "application/merge-patch+json; charset=utf-8"}
    assert client.put(PATH, content=b"{}", headers=merge).status_code == 400, "parsed, and has no id"


def test_ignored_parameters_are_rejected_by_name(client: httpx2.Client) -> None:
    misspelt = client.get(PATH, params={"limt": "1", "entityid": new_id(), "status": "planned"})
    assert _named(misspelt) == {("unknown_parameter", "limt"), ("unknown_parameter", "entityid")}
    assert "did you mean limit" in misspelt.text
    twice = client.get(f"{PATH}?status=planned&status=done&limit=1")
    assert _named(twice) == {("repeated_parameter", "status")}
    assert client.get(PATH, params={"status": "planned,done"}).status_code == 200
    assert _named(client.get("/api/customers/flags?x=1")) == {("unknown_parameter", "x")}
    assert _named(client.get(f"{PATH}/{new_id()}?include=deals")) == {("unknown_parameter", "include")}
    assert client.get("/api/customers/todos?_=17").status_code == 200, "old clients send any parameter"


def test_repeated_members_are_rejected(client: httpx2.Client, customer: str) -> None:
    """Parsers differ in which one counts. The topic of commands refuses them, too."""
    kind = {"Content-Type": "application/json"}
    body = f'{{"entityId": "{customer}", "interactionType": "call", "title": "a", "title": "b"}}'
    refused = client.post(PATH, content=body, headers=kind)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/title")
    assert client.post(PATH, content='{"\\ud800": 1, "\\ud800": 2}', headers=kind).status_code == 400
    old = f'{{"entityId": "{customer}", "title": "a", "title": "b"}}'
    assert client.post("/api/customers/todos", content=old, headers=kind).status_code == 201


def test_repeated_headers_are_rejected(client: httpx2.Client, customer: str) -> None:
    call = client.post(PATH, json={"entityId": customer, "interactionType": "call"}).json()["id"]
    tags = [("If-Match", '"7"'), ("If-Match", '"1"')]
    assert client.put(PATH, json={"id": call, "priority": 1}, headers=tags).status_code == 200, "one list"
    stale = [("If-Match", '"7"'), ("If-Match", '"8"')]
    assert client.put(PATH, json={"id": call, "priority": 2}, headers=stale).status_code == 412
    keys = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    refused = client.put(PATH, json={"id": call, "priority": 2}, headers=keys)
    assert _named(refused) == {("repeated_header", "idempotency-key")}


def test_a_current_copy_gets_304(client: httpx2.Client, customer: str) -> None:
    call = client.post(PATH, json={"entityId": customer, "interactionType": "call"}).json()["id"]
    url, person = f"{PATH}/{call}", f"/api/customers/people/{customer}"
    deal = client.post("/api/customers/deals", json={"entityId": customer, "title": "Roof"}).json()["id"]
    for path in (url, person, f"{person}?include=interactions,deals", f"/api/customers/deals/{deal}"):
        tag = client.get(path).headers["etag"]
        for given in (tag, f'"x", W/{tag}', "*"):
            same = client.get(path, headers={"If-None-Match": given})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag), path
        assert client.get(path, headers={"If-None-Match": '"0"'}).status_code == 200
    assert client.put(PATH, json={"id": call, "dealId": deal}).status_code == 200
    tag = client.get(url).headers["etag"]
    for change, status in (({"title": "Roofs"}, 200), ({"title": "Roof"}, 304)):
        assert client.put("/api/customers/deals", json={"id": deal, **change}).status_code == 200
        now = client.get(url, headers={"If-None-Match": tag})
        assert now.status_code == status, "the deal's title is shown too"
    for given in ("*", tag):
        refused = client.put(PATH, json={"id": call, "priority": 1}, headers={"If-None-Match": given})
        assert refused.status_code == 412
    assert client.put(PATH, json={"id": call, "priority": 1}, headers={"If-Match": tag}).status_code == 200
    changed = client.put(PATH, json={"id": call, "priority": 2}, headers={"If-None-Match": tag})
    assert changed.status_code == 200


def test_a_command_id_with_slashes_has_an_address(
    client: httpx2.Client, gateway: Gateway, pipeline: Settings, customer: str
) -> None:
    for command in (f"erp/{new_id()}/a b", f"{new_id()}/", f"/{new_id()}"):
        made = event("interaction.create", customer, {"interactionType": "call"}, command_id=command)
        (result,) = outcomes(pipeline, [made])
        assert result["outcome"] == "applied"
        fate = client.get(f"/api/customers/commands/{quote(command, safe='')}")
        assert (fate.status_code, fate.json()["commandId"]) == (200, command)
    with gateway.client(features=["audit_logs.undo_self"]) as other:
        assert other.get(f"/api/customers/commands/{quote(command, safe='')}").status_code == 403


def test_the_longest_titles_can_be_paged(client: httpx2.Client, customer: str) -> None:
    for dead_letter in "ab":
        body = {"entityId": customer, "interactionType": "call", "title": dead_letter + "\x01" * 499}
        assert client.post(PATH, json=body).status_code == 201
    query: dict[str, Any] = {"entityId": customer, "sortField": "title", "search": "\x01", "limit": 1}
    first = client.get(PATH, params=query).json()
    second = client.get(PATH, params={**query, "cursor": first["nextCursor"]})
    assert second.status_code == 200, second.text
    assert second.json()["items"][0]["title"] != first["items"][0]["title"]


@pytest.fixture(scope="module")
def hurried(pipeline: Settings) -> Iterator[Gateway]:
    """A gateway with deadlines of one second."""
    with serving(
        pipeline, INTERACTIONS_API_HEADER_TIMEOUT_SECONDS="1", INTERACTIONS_API_BODY_TIMEOUT_SECONDS="1"
    ) as found:
        yield found


def _sent(gateway: Gateway, *pieces: bytes) -> bytes:
    """Send these bytes and return the response until the server closes the connection."""
    address = urlsplit(gateway.url)
    with socket.create_connection((str(address.hostname), address.port), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def test_an_unfinished_request_times_out(hurried: Gateway, client: httpx2.Client) -> None:
    assert _sent(hurried) == b""
    assert _sent(hurried, b"GET /healthz HTTP/1.1\r\nHost: x\r\n") == b""
    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    again = _sent(hurried, whole, b"GET /healthz HTTP/1.1\r\nHo")
    assert again.startswith(b"HTTP/1.1 200"), "the second one on a connection is bounded as well"
    head = f"PUT {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['authorization']}\r\n"
    slow = _sent(hurried, f"{head}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{".encode())
    assert slow.startswith(b"HTTP/1.1 408")
    assert b"body_too_slow" in slow
