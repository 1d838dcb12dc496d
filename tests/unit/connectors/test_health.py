"""Health checks announce each change of a provider's health once."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.sdk.remote import Health
from connectors.service import maintenance
from schemas.errors import Retry


@pytest.mark.parametrize(
    ("known", "answer", "told"),
    [
        (True, Retry("down"), [False]),
        (True, Health(ok=False, detail="limping"), [False]),
        (False, Health(ok=True, detail="fine"), [True]),
        (False, Retry("still down"), []),
        (True, Health(ok=True, detail="fine"), []),
        (None, Retry("never seen"), []),
    ],
)
def test_turns_are_told(
    monkeypatch: pytest.MonkeyPatch, known: bool | None, answer: Health | Retry, told: list[bool]
) -> None:
    noted: list[bool] = []
    announced: list[bool] = []

    def health() -> Health:
        if isinstance(answer, Retry):
            raise answer
        return answer

    monkeypatch.setattr(maintenance, "lock_unchanged", lambda *_: True)
    monkeypatch.setattr(maintenance, "read_integration", lambda *_: SimpleNamespace(healthy=known))
    monkeypatch.setattr(maintenance, "set_health", lambda _c, _i, ok, _d, _n: noted.append(ok))
    session: Any = SimpleNamespace(
        provider=SimpleNamespace(health=health),
        integration=SimpleNamespace(id="board-1"),
        announce=lambda kind, _i, _e, data: announced.append(data["healthy"]),
        now=lambda: None,
    )
    connection: Any = SimpleNamespace(transaction=contextlib.nullcontext)
    maintenance.check_health(session, connection)
    assert announced == told
    assert noted == [isinstance(answer, Health) and answer.ok]
