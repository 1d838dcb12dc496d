"""Integration events: valid by contract, with the scope in the headers, without customer text."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.service.integration_events import IntegrationEvents
from schemas.errors import Retry
from schemas.integration_events import INTEGRATION_EVENT_TYPES, PREFIX
from schemas.topics import INTEGRATION_EVENTS
from tests.harness.memory_registry import MemoryRegistry
from tests.unit.connectors.test_change_marks import integration

REGISTRY = MemoryRegistry.of_the_contract()
event_record = IntegrationEvents(lambda _: None, REGISTRY.encoder().encode).record
DATA: dict[str, dict[str, Any]] = {
    "change_received": {"eventId": "e", "externalId": "x", "outcome": "marked"},
    "mapping_changed": {"interactionId": "i", "invalidates": ["tag"]},
    "warning": {"kind": "failed", "interactionId": "i"},
    "decided": {"resolution": "retry", "taken": ["w"], "left": []},
    "changed": {"outcome": "removed", "mirrorsLeft": 3},
    "state_changed": {"state": "needs_auth", "invalidates": ["tag"]},
    "health_changed": {"healthy": False},
    "drift_repaired": {"missed": 1, "orphaned": 0, "untended": 2},
}


@pytest.mark.parametrize("kind", DATA)
def test_a_record_carries_scope_and_value(kind: str) -> None:
    record = event_record(kind, integration("board-1"), "ada", DATA[kind])
    headers = dict(record.headers)
    assert (record.topic, record.key) == (INTEGRATION_EVENTS, "ada")
    assert headers["ce_type"] == f"customers.integration.{kind}"
    assert (headers["ce_tenantid"], headers["ce_organizationid"], headers["ce_entityid"]) == ("t", "o", "ada")
    assert headers["content-type"] == "application/avro"
    name, value = REGISTRY.decoder().decode(record.value or b"")
    assert name == headers["ce_type"]
    expected = {"integrationId": "board-1", "provider": "board", **DATA[kind]}
    assert {member: value[member] for member in expected} == expected
    assert not any(value[member] for member in value.keys() - expected.keys())


def test_every_type_of_the_contract_is_told() -> None:
    assert {PREFIX + kind for kind in DATA} == set(INTEGRATION_EVENT_TYPES)


def test_an_answer_names_what_it_answers() -> None:
    record = event_record("decided", integration("board-1"), None, DATA["decided"], "mine")
    assert dict(record.headers)["ce_correlationid"] == "mine"


def test_about_no_customer_it_is_keyed_by_the_integration() -> None:
    record = event_record("health_changed", integration("board-1"), None, {"healthy": True})
    assert record.key == "board-1"
    assert "ce_entityid" not in dict(record.headers)


@pytest.mark.parametrize("data", [{"healthy": True, "title": "Ada"}, {}, {"healthy": "yes"}])
def test_what_is_not_of_the_contract_is_not_told(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        event_record("health_changed", integration("board-1"), None, data)


@pytest.mark.parametrize("error", [Retry("away"), KeyError("x"), ValueError("y")])
def test_an_event_that_cannot_be_published_is_dropped(error: Exception) -> None:
    def send(_: object) -> None:
        raise error

    events = IntegrationEvents(send, REGISTRY.encoder().encode)
    events.announce("health_changed", integration("board-1"), None, {"healthy": True})
    events.announce("health_changed", integration("board-1"), None, {"healthy": "no boolean"})
