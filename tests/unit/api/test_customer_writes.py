"""Changing a customer: only given fields are sent, and the applier checks the conditions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import Headers

import api.customer_writes as writes
from api.command_gateway import CommandRequest, Rejection
from api.preconditions import LOCK_HEADER
from api.principal import Principal
from schemas.errors import Conflict, Reject

WHO = Principal(
    tenant_id="10000000-0000-4000-8000-000000000001",
    organization_id="20000000-0000-4000-8000-000000000001",
    subject="u",
    features=frozenset({"*"}),
)
ADA = "30000000-0000-4000-8000-000000000001"
AT = datetime(2026, 3, 1, tzinfo=UTC)


class Stored:
    """One customer that another client renames before each of the first ``renames`` commands."""

    def __init__(self, renames: int) -> None:
        self.row = {"id": ADA, "kind": "person", "display_name": "Ada", "entity_version": 1, "updated_at": AT}
        self.renames = renames
        self.commands: list[CommandRequest] = []

    async def execute(self, command: CommandRequest) -> dict[str, Any]:
        self.commands.append(command)
        if self.renames:
            self.renames -= 1
            version = int(str(self.row["entity_version"])) + 1
            self.row = {**self.row, "display_name": f"Name {version}", "entity_version": version}
        if command.expected_version not in (None, self.row["entity_version"]):
            problem = {"code": "version_conflict", "detail": "changed", "status": 409, "errors": []}
            raise Rejection(problem)
        return {"outcome": "applied", "entityVersion": 9, "commandType": "customers.entity.upsert"}


def update(stored: Stored, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], **body: Any) -> int:
    async def entity(*_: Any) -> dict[str, Any]:
        return stored.row

    @asynccontextmanager
    async def connection() -> AsyncIterator[None]:
        yield None

    monkeypatch.setattr(writes, "entity", entity)
    services: Any = SimpleNamespace(commands=stored, reads=SimpleNamespace(connection=connection))
    path = SimpleNamespace(path="/api/customers/people")
    request: Any = SimpleNamespace(headers=Headers(headers), method="PUT", url=path)
    given = writes.CustomerUpdate.model_validate({"id": ADA, **body})
    return asyncio.run(writes.update_customer(services, request, WHO, "person", given)).status_code


def test_a_name_that_is_not_given_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A concurrent rename stays, and a repeated request is the same command."""
    stored = Stored(renames=1)
    assert update(stored, monkeypatch, {}, primaryPhone="1") == 200
    assert [command.data for command in stored.commands] == [
        {"id": ADA, "kind": "person", "primaryPhone": "1"}
    ]
    assert [command.expected_version for command in stored.commands] == [None]


def test_a_condition_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Stored(renames=1)
    with pytest.raises(Reject) as refused:
        update(stored, monkeypatch, {"if-match": '"1"'}, primaryPhone="1")
    assert refused.value.status == 412
    assert len(stored.commands) == 1


def test_the_old_lock_is_compared_again_when_the_version_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interaction of the customer raises its version but not its ``updated_at``."""
    stored = Stored(renames=1)
    assert update(stored, monkeypatch, {LOCK_HEADER: "2026-03-01T00:00:00Z"}, primaryPhone="1") == 200
    assert [command.expected_version for command in stored.commands] == [1, 2]


def test_it_gives_up_after_repeated_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Conflict):
        update(Stored(renames=99), monkeypatch, {LOCK_HEADER: "2026-03-01T00:00:00Z"}, primaryPhone="1")
