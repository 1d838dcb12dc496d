"""Changing a customer without naming it keeps the name, also when it is renamed at that very moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

import api.customer_writes as writes
from api.command_gateway import Order, Rejection
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
    """One customer, and somebody who renames it before each of the first ``renames`` commands."""

    def __init__(self, renames: int) -> None:
        self.row = {"id": ADA, "kind": "person", "display_name": "Ada", "entity_version": 1, "updated_at": AT}
        self.renames = renames
        self.orders: list[Order] = []

    async def carry_out(self, order: Order) -> dict[str, Any]:
        self.orders.append(order)
        if self.renames:
            self.renames -= 1
            version = int(str(self.row["entity_version"])) + 1
            self.row = {**self.row, "display_name": f"Name {version}", "entity_version": version}
        if order.expected_version not in (None, self.row["entity_version"]):
            problem = {"code": "version_conflict", "detail": "changed", "status": 409, "errors": []}
            raise Rejection(problem, order)
        return {"outcome": "applied", "entityVersion": 9, "commandType": "customers.entity.upsert"}


def update(stored: Stored, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], **body: Any) -> int:
    async def entity(*_: Any) -> dict[str, Any]:
        return stored.row

    @asynccontextmanager
    async def connection() -> AsyncIterator[None]:
        yield None

    monkeypatch.setattr(writes, "entity", entity)
    services: Any = SimpleNamespace(commands=stored, reads=SimpleNamespace(connection=connection))
    request: Any = SimpleNamespace(headers=headers)
    given = writes.CustomerUpdate.model_validate({"id": ADA, **body})
    return asyncio.run(writes.update_customer(services, request, WHO, "person", given)).status_code


def test_a_rename_in_between_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Stored(renames=1)
    assert update(stored, monkeypatch, {}, primaryPhone="1") == 200
    assert [order.data["displayName"] for order in stored.orders] == ["Ada", "Name 2"]
    assert [order.expected_version for order in stored.orders] == [1, 2]


def test_a_given_name_needs_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Stored(renames=1)
    assert update(stored, monkeypatch, {}, displayName="Eve") == 200
    assert [order.expected_version for order in stored.orders] == [None]


def test_a_condition_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Stored(renames=1)
    with pytest.raises(Reject) as refused:
        update(stored, monkeypatch, {"if-match": '"1"'}, primaryPhone="1")
    assert refused.value.status == 412
    assert len(stored.orders) == 1


def test_it_gives_up_when_others_never_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Conflict):
        update(Stored(renames=99), monkeypatch, {}, primaryPhone="1")
