"""A resolution without servers: the rows decide the response, whatever the results report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from fastapi import Request, Response

from api import changes, signal_resolution
from api.command_gateway import CommandRequest
from api.principal import Principal
from api.problems import DraftPending, response_of
from api.queries.row_head import Head
from schemas.errors import Reject, Retry
from schemas.events import members_of
from schemas.signal_events import DraftSnapshot
from schemas.signal_payloads import answer_correlation

WHO = Principal(tenant_id="t", organization_id="o", subject="s", features=frozenset())
NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
APPLIED: dict[str, Any] = {"outcome": "applied", "version": 7, "draftId": None, "signalId": "s1"}
NO_DRAFT = dict.fromkeys(members_of(DraftSnapshot).values())
RESOLVING: dict[str, Any] = {
    **NO_DRAFT,
    "signal_status": "resolving",
    "signal_version": 7,
    "failure": None,
    "failure_detail": None,
    "outcome": None,
    "outcome_detail": None,
    "command_id": None,
    "ended_at": None,
}
RESOLVED = {
    **RESOLVING,
    "id": "d1",
    "signal_id": "s1",
    "created_at": NOW,
    "updated_at": NOW,
    "signal_status": "resolved",
    "signal_version": 8,
    "outcome": "resolved",
    "command_id": "c2",
    "ended_at": NOW,
}
FAILED = {
    **RESOLVING,
    "signal_status": "open",
    "failure": "writer_timeout",
    "failure_detail": "No answer.",
    "outcome": "failed",
    "outcome_detail": "writer_timeout",
}


class Scene:
    """A gateway whose rows are scripted: one entry per read."""

    def __init__(self, *reads: dict[str, Any] | Exception | None, result: dict[str, Any] = APPLIED) -> None:
        self.script = list(reads)
        self.result = result
        self.steps: list[str] = []
        self.sent: list[CommandRequest] = []
        self.correlation: str | None = None

    @asynccontextmanager
    async def connection(self, seconds: float | None = None) -> AsyncIterator[None]:
        if self.script and isinstance(self.script[0], Exception) and self.sent:
            raise self.script.pop(0)  # type: ignore[misc]
        yield None

    @contextmanager
    def answer(self, correlation_id: str) -> Iterator[Any]:
        self.correlation = correlation_id
        self.steps.append("watch")

        async def wait() -> None:
            self.steps.append("wait")

        yield wait

    async def execute(self, command: CommandRequest) -> dict[str, Any]:
        self.steps.append("send")
        self.sent.append(command)
        return self.result

    async def read(self, *_: Any) -> dict[str, Any] | None:
        self.steps.append("read")
        found = self.script.pop(0)
        assert not isinstance(found, Exception)
        return found


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Any:
    async def head(*_: Any) -> Head:
        return Head("e1", 3, NOW)

    monkeypatch.setattr(changes, "head_of", head)

    def run(scene: Scene) -> Response:
        monkeypatch.setattr(signal_resolution, "resolution_of", scene.read)
        services: Any = SimpleNamespace(reads=scene, commands=scene)
        request = Request({"type": "http", "method": "POST", "headers": [], "path": "/r", "server": ("h", 1)})
        return asyncio.run(signal_resolution.resolve_signal(services, request, WHO, "s1", {"id": "s1"}))

    return run


def test_the_answer_is_watched_before_the_command_is_sent(resolve: Any) -> None:
    scene = Scene(RESOLVING, RESOLVED)
    response = resolve(scene)
    assert scene.steps == ["watch", "send", "read", "wait", "read"]
    assert scene.correlation == answer_correlation("t", "o", scene.sent[0].id)
    assert (response.status_code, orjson.loads(response.body)["draft"]["id"]) == (200, "d1")
    assert response.headers["etag"] == '"8"'


def test_no_wait_if_the_draft_is_stored_already(resolve: Any) -> None:
    scene = Scene(RESOLVED)
    assert resolve(scene).status_code == 200
    assert "wait" not in scene.steps


@pytest.mark.parametrize(
    "reads",
    [
        (RESOLVING, RESOLVING),
        (Retry("The database does not respond."),),
        (RESOLVING, Retry("The database does not respond.")),
    ],
)
def test_without_a_row_it_is_never_a_success(resolve: Any, reads: tuple[Any, ...]) -> None:
    """Although a result reported the end, or the rows cannot be read."""
    scene = Scene(*reads)
    with pytest.raises(DraftPending) as pending:
        resolve(scene)
    response = response_of(pending.value)
    body = orjson.loads(response.body)
    assert response.status_code == 504
    assert (body["signalId"], body["commandId"]) == ("s1", scene.sent[0].id)
    assert body["commandUrl"] == response.headers["location"]


def test_another_request_resolves_it(resolve: Any) -> None:
    scene = Scene(RESOLVING, result={**APPLIED, "outcome": "no_op"})
    with pytest.raises(DraftPending):
        resolve(scene)
    assert "wait" not in scene.steps, "the answer is for the other request"


def test_a_draft_that_exists_has_no_undo_token(resolve: Any) -> None:
    response = resolve(Scene(RESOLVED, result={**APPLIED, "outcome": "no_op", "draftId": "d1"}))
    assert response.status_code == 200
    assert "x-om-operation" not in response.headers


@pytest.mark.parametrize(
    ("row", "status", "code", "detail"),
    [
        (FAILED, 409, "writer_timeout", "No answer."),
        ({**FAILED, "failure": "other"}, 409, "writer_timeout", "No draft was written (writer_timeout)."),
        ({**RESOLVING, "signal_status": "open", "outcome": "reverted"}, 409, "not_resolving", "undone"),
        ({**RESOLVED, **NO_DRAFT, "signal_status": "open"}, 409, "not_resolving", "undone"),
        (None, 404, "signal_not_found", "deleted"),
    ],
)
def test_the_end_without_a_draft(
    resolve: Any, row: dict[str, Any] | None, status: int, code: str, detail: str
) -> None:
    with pytest.raises(Reject) as refused:
        resolve(Scene(RESOLVING, row))
    assert (refused.value.status, refused.value.code) == (status, code)
    assert detail in refused.value.detail
    assert not {"ok", "draft"} & set(orjson.loads(response_of(refused.value).body))
