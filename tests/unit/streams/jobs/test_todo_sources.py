"""Todos of other modules: what an HTTP service may answer, and what makes a batch fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from runtime.settings import Settings
from schemas.errors import Stop
from streams.jobs.backfill.todo_settings import HttpTodos, read_jobs_settings
from streams.jobs.backfill.todo_sources import TodoSourceError, TodoSources

ID = "40000000-0000-4000-8000-00000000000a"
OTHER = "40000000-0000-4000-8000-00000000000b"


class Service(ThreadingHTTPServer):
    """Answers every request with ``answer``, and keeps the requests."""

    daemon_threads = True
    answer: tuple[int, bytes] = (200, b'{"items": []}')

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str | None, dict[str, Any]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/todos"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.headers["Authorization"], json.loads(body)))
        status, content = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


def fetch(service: Service, *ids: str) -> list[dict[str, Any]]:
    source = HttpTodos(kind="http", url=service.url, token=SecretStr("t0ken"), seconds=5)
    links = [
        {"todo_source": "crm", "tenant_id": "t", "organization_id": "o", "todo_id": identity}
        for identity in ids
    ]
    return TodoSources(Settings(), {"crm": source}).fetch(links)


def answer(service: Service, *items: Any) -> None:
    service.answer = 200, json.dumps({"items": items}).encode()


def test_it_receives_the_ids_and_its_items_become_rows(service: Service) -> None:
    answer(
        service,
        {"id": ID.upper(), "title": "T", "isDone": True, "dueAt": "2026-03-01T09:00:00Z", "priority": 3,
         "owner": "has no place", "doneAt": "yesterday"},
        {"id": OTHER, "title": "not asked for"},
    )  # fmt: skip
    (row,) = fetch(service, ID, ID)
    assert row == {
        "id": ID, "tenant_id": "t", "organization_id": "o", "todo_source": "crm", "title": "T",
        "is_done": True, "priority": "3", "due_at": datetime(2026, 3, 1, 9, tzinfo=UTC), "done_at": None,
        "created_at": None, "updated_at": None,
    }  # fmt: skip
    sent = {"source": "crm", "tenantId": "t", "organizationId": "o", "ids": [ID]}
    assert service.requests == [("Bearer t0ken", sent)]


def test_a_todo_that_is_not_there_is_no_failure(service: Service) -> None:
    assert fetch(service, ID) == []


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (500, b"{}", "status 500"),
        (404, b"{}", "status 404"),
        (200, b"<html>", "JSON object that has items"),
        (200, b'{"items": {}}', "JSON object that has items"),
        (200, b"[]", "JSON object that has items"),
        (200, b'{"items": ["x"]}', "is not an object"),
        (200, b'{"items": [{"id": 7}]}', "no UUID"),
    ],
)
def test_a_wrong_answer_fails_the_batch(service: Service, status: int, content: bytes, said: str) -> None:
    service.answer = status, content
    with pytest.raises(TodoSourceError, match=said):
        fetch(service, ID)


def test_a_service_that_is_gone_fails_the_batch(service: Service) -> None:
    service.url = "http://127.0.0.1:9/"
    with pytest.raises(TodoSourceError, match="did not answer completely"):
        fetch(service, ID)


def test_a_wrong_setting_names_the_variable_and_not_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTIONS_JOBS_TODO_SOURCES", '{"crm": {"kind": "ftp", "url": "secret"}}')
    with pytest.raises(Stop, match="INTERACTIONS_JOBS_TODO_SOURCES") as raised:
        read_jobs_settings()
    assert "secret" not in str(raised.value)
