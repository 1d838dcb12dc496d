"""Polls are infrequent only while webhooks are known to arrive."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.service import maintenance

_NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("webhooks_enabled", "received", "pause"), [(True, True, 300), (True, False, 30), (False, True, 30)]
)
def test_the_pause_between_polls(
    monkeypatch: pytest.MonkeyPatch, webhooks_enabled: bool, received: bool, pause: float
) -> None:
    monkeypatch.setattr(maintenance, "received_since", lambda *_: received)
    tasks = ("poll", "reconcile", "check_health", "ensure_webhook", "relist_provider")
    for name in (*tasks, "note_poll", "note_begun", "note_ended"):
        monkeypatch.setattr(maintenance, name, lambda *_, **__: None)
    monkeypatch.setattr(maintenance, "seconds_until_due", lambda *given: given[-1])
    session: Any = SimpleNamespace(
        integration=SimpleNamespace(id="board-1", tenant_id="t", organization_id="o"),
        declaration=SimpleNamespace(features=frozenset({"poll", "webhooks"}), poll_seconds=30.0),
        provider=SimpleNamespace(ensure_webhook=lambda: None),
        time_limit=lambda _: nullcontext(),
        webhooks_enabled=webhooks_enabled,
        digest=None,
        now=lambda: _NOW,
    )
    entry: Any = SimpleNamespace(
        opened=SimpleNamespace(session=session),
        integration=session.integration,
        due={},
        failures={},
        unusable=None,
    )
    maintenance.run_maintenance(entry, None, 1.0, lambda: None)  # type: ignore[arg-type]
    assert entry.due["poll"] - _NOW == timedelta(seconds=pause)
    assert entry.due["look"] - _NOW == timedelta(hours=6)
