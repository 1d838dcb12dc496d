"""Every change of a mirror invalidates all views that show it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.sdk.remote import Gone
from connectors.service.open_session import utc_now
from connectors.sync import adoption, failure_policy, outbound
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.failure_policy import FailurePolicy, close_integration
from connectors.sync.mirror_events import announce_state
from schemas.errors import NeedsAuth, Reject, Retry, Stop
from tests.unit.connectors.test_change_marks import integration

MIRROR = ["integrations:interaction-mapping:board-1:t:o", "customers:interaction:list:t:o"]
OF_ADA = [*MIRROR, "customers:interaction:entity:ada"]


class Connection:
    """Database connection that accepts everything."""

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        yield


class Announced:
    """Provider session that records announcements."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.session: Any = SimpleNamespace(
            integration=integration("board-1"),
            declaration=SimpleNamespace(retry_seconds=()),
            now=utc_now,
            interaction_id_of=lambda marker: "i",
            announce=lambda kind, _, entity, data: self.events.append((kind, data)),
            crash_point=lambda point: None,
        )

    def tags(self, kind: str) -> list[list[str]]:
        return [data["invalidates"] for found, data in self.events if found == kind]


def item(**changes: Any) -> Any:
    base = {"integration_id": "board-1", "interaction_id": "i", "entity_id": "ada", "tenant_id": "t"}
    return SimpleNamespace(**{**base, "organization_id": "o", "attempts": 0, **changes})


@pytest.mark.parametrize(
    ("error", "attempts", "changed"),
    [(Reject("no", "no"), 1, True), (Retry("later"), 0, True), (Retry("later"), 1, False)],
)
def test_a_mirror_that_fails_or_is_given_up(
    monkeypatch: pytest.MonkeyPatch, error: Exception, attempts: int, changed: bool
) -> None:
    monkeypatch.setattr(failure_policy, "give_back", lambda *_, **__: None)
    monkeypatch.setattr(failure_policy, "raise_warning", lambda *_: ("w", False))
    monkeypatch.setattr(failure_policy, "item_warning", lambda *_, **__: None)
    told, connection = Announced(), Connection()
    policy = FailurePolicy(told.session, CircuitBreaker(utc_now), random.Random(1))
    policy.handle(connection, "me", item(attempts=attempts), error)  # type: ignore[arg-type]
    assert told.tags("mapping_changed") == ([OF_ADA] if changed else [])


def test_a_mirror_that_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, found in (("mark_open_intents", False), ("mapping_of", None), ("upsert_mapping", None)):
        monkeypatch.setattr(adoption, name, lambda *_, found=found: found)
    monkeypatch.setattr(adoption, "mark_remote", lambda *_: None)
    monkeypatch.setattr(adoption, "read_interaction", lambda *_: SimpleNamespace(entity_id="ada"))
    told, connection = Announced(), Connection()
    assert adoption.adopt(told.session, connection, "card", "marker")  # type: ignore[arg-type]
    assert told.tags("mapping_changed") == [OF_ADA]


def test_a_mirror_that_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "delete_mapping", lambda *_: None)
    monkeypatch.setattr(outbound, "_outgoing", lambda *_: {})
    monkeypatch.setattr(outbound, "_expected", lambda *_: {})
    monkeypatch.setattr(outbound, "confirm_gone", lambda *given: given[-1], raising=False)
    told: list[bool] = []
    provider = SimpleNamespace(restore=lambda *_: Gone(external_id="card"))
    context: Any = SimpleNamespace(
        session=SimpleNamespace(provider=provider, crash_point=lambda point: None),
        connection=None,
        leased_transaction=contextlib.nullcontext,
        record_write=lambda *_: 1,
        tell_views=lambda: told.append(True),
    )
    mapping: Any = SimpleNamespace(external_id="card", integration_id="board-1", local_id="i")
    assert outbound.restore(context, mapping, None) is False  # type: ignore[arg-type]
    assert told == [True]


@pytest.mark.parametrize("error", [NeedsAuth("renew"), Stop("closed")])
def test_an_integration_that_stops(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(failure_policy, "lock_unchanged", lambda *_: True)
    monkeypatch.setattr(failure_policy, "set_state", lambda *_, **__: True)
    monkeypatch.setattr(failure_policy, "set_health", lambda *_: None)
    monkeypatch.setattr(failure_policy, "raise_warning", lambda *_: ("w", False))
    told, connection = Announced(), Connection()
    close_integration(connection, told.session, error)  # type: ignore[arg-type]
    announce_state(told.session, "needs_confirmation")
    assert told.tags("state_changed") == [MIRROR, MIRROR]
