"""Whatever changes at a mirror names the views that show it: all of them, and by one function."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.sdk.remote import Gone
from connectors.service.open_session import utc_now
from connectors.sync import adoption
from connectors.sync import failure_policy as trouble
from connectors.sync import outbound as outward
from connectors.sync.breaker import Breaker
from connectors.sync.failure_policy import Trouble, close_integration
from connectors.sync.mirror_events import announce_state
from schemas.errors import NeedsAuth, Reject, Retry, Stop
from tests.unit.connectors.test_change_marks import integration

MIRROR = ["integrations:interaction-mapping:board-1:t:o", "customers:interaction:list:t:o"]
OF_ADA = [*MIRROR, "customers:interaction:entity:ada"]


class Connection:
    """A database that takes everything."""

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        yield


class Told:
    """A link that notes what is announced."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.session: Any = SimpleNamespace(
            integration=integration("board-1"),
            declaration=SimpleNamespace(retry_seconds=()),
            now=utc_now,
            interaction_of=lambda marker: "i",
            announce=lambda kind, _, entity, data: self.events.append((kind, data)),
            reach=lambda point: None,
        )

    def tags(self, kind: str) -> list[list[str]]:
        return [data["invalidates"] for found, data in self.events if found == kind]


def item(**changes: Any) -> Any:
    base = {"integration_id": "board-1", "interaction_id": "i", "entity_id": "ada", "tenant_id": "t"}
    return SimpleNamespace(**{**base, "organization_id": "o", "attempts": 0, **changes})


@pytest.mark.parametrize(("error", "given_up"), [(Reject("no", "no"), True), (Retry("later"), False)])
def test_a_mirror_that_is_given_up(monkeypatch: pytest.MonkeyPatch, error: Exception, given_up: bool) -> None:
    monkeypatch.setattr(trouble, "give_back", lambda *_, **__: None)
    monkeypatch.setattr(trouble, "raise_warning", lambda *_: ("w", False))
    monkeypatch.setattr(trouble, "item_warning", lambda *_, **__: None)
    told, connection = Told(), Connection()
    Trouble(told.session, Breaker(utc_now), random.Random(1)).take(connection, "me", item(), error)  # type: ignore[arg-type]
    assert told.tags("mapping_changed") == ([OF_ADA] if given_up else [])


def test_a_mirror_that_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, found in (("mark_open_intents", False), ("mapping_of", None), ("upsert_mapping", None)):
        monkeypatch.setattr(adoption, name, lambda *_, found=found: found)
    monkeypatch.setattr(adoption, "mark_remote", lambda *_: None)
    monkeypatch.setattr(adoption, "read_interaction", lambda *_: SimpleNamespace(entity_id="ada"))
    told, connection = Told(), Connection()
    assert adoption.adopt(told.session, connection, "card", "marker")  # type: ignore[arg-type]
    assert told.tags("mapping_changed") == [OF_ADA]


def test_a_mirror_that_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outward, "delete_mapping", lambda *_: None)
    monkeypatch.setattr(outward, "_outgoing", lambda *_: {})
    monkeypatch.setattr(outward, "_expected", lambda *_: {})
    monkeypatch.setattr(outward, "confirm_gone", lambda *given: given[-1], raising=False)
    told: list[bool] = []
    provider = SimpleNamespace(restore=lambda *_: Gone(external_id="card"))
    context: Any = SimpleNamespace(
        session=SimpleNamespace(provider=provider, reach=lambda point: None),
        connection=None,
        holding=contextlib.nullcontext,
        note_write=lambda *_: 1,
        tell_mapping_changed=lambda: told.append(True),
    )
    mapping: Any = SimpleNamespace(external_id="card", integration_id="board-1", local_id="i")
    assert outward.restore(context, mapping, None) is False  # type: ignore[arg-type]
    assert told == [True]


@pytest.mark.parametrize("error", [NeedsAuth("renew"), Stop("closed")])
def test_an_integration_that_stops(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(trouble, "set_state", lambda *_, **__: True)
    monkeypatch.setattr(trouble, "set_health", lambda *_: None)
    monkeypatch.setattr(trouble, "raise_warning", lambda *_: ("w", False))
    told, connection = Told(), Connection()
    close_integration(connection, told.session, error)  # type: ignore[arg-type]
    announce_state(told.session, "needs_confirmation")
    assert told.tags("state_changed") == [MIRROR, MIRROR]
