"""Limits of one gateway process: rate per principal, body size, malformed JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from runtime.settings import Settings
from tests.harness.gateway import serving
from tests.harness.wire import new_id

pytestmark = pytest.mark.integration
PATH = "/api/customers/interactions"


@pytest.fixture(scope="module")
def strict(pipeline: Settings) -> Iterator[httpx2.Client]:
    limits: dict[str, Any] = {
        "INTERACTIONS_API_RATE_PER_SECOND": "0.01",
        "INTERACTIONS_API_RATE_BURST": "8",
        "INTERACTIONS_API_MAX_BODY_BYTES": "2048",
    }
    with serving(pipeline, **limits) as gateway, gateway.client(user=new_id()) as client:
        yield client


def test_a_large_body_is_refused_before_it_is_read(strict: httpx2.Client) -> None:
    big = b'{"title": "' + b"x" * 3000 + b'"}'
    answer = strict.post(PATH, content=big, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")

    def chunks() -> Iterator[bytes]:
        yield big[:1500]
        yield big[1500:]

    streamed = strict.post(PATH, content=chunks(), headers={"content-type": "application/json"})
    assert (streamed.status_code, streamed.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_not_a_json_object(strict: httpx2.Client, content: bytes) -> None:
    answer = strict.put(PATH, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"] == "Validation failed"


def test_the_rate_limit_is_per_principal(strict: httpx2.Client) -> None:
    answers = [strict.get(PATH, params={"limit": 1}) for _ in range(20)]
    answer = answers[-1]
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert int(answer.headers["retry-after"]) >= 1
    from tests.harness.gateway import token

    other = {"Authorization": f"Bearer {token(user=new_id())}"}
    assert strict.get(PATH, params={"limit": 1}, headers=other).status_code == 200


def test_an_unknown_address_and_method(strict: httpx2.Client) -> None:
    unknown = strict.get("/api/customers/nothing/here")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    method = strict.patch(PATH)
    assert (method.status_code, method.json()["code"]) == (405, "method_not_allowed")
    assert method.headers["allow"] == "DELETE, GET, HEAD, POST, PUT", "all of them, each once"
