"""Change marks of an event: the integrations that must look at it."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.store.integrations import Integration
from connectors.sync.change_marks import marks_for_event
from schemas import events
from tests.harness.integrations import an_integration

TENANT, ORGANIZATION, OTHER = "t", "o", "x"


def integration(
    identity: str, tenant: str = TENANT, organization: str = ORGANIZATION, state: str = "active"
) -> Integration:
    return an_integration(identity, tenant, organization, state=state)


def event(origin: str | None = None) -> dict[str, Any]:
    return {
        "id": "i", "entityId": "e", "tenantId": TENANT, "organizationId": ORGANIZATION,
        "version": 3, "syncOrigin": origin,
    }  # fmt: skip


def marked(origin: str | None = None, kind: str = events.UPDATED) -> list[str]:
    every = [
        integration("a"),
        integration("b"),
        integration("paused", state="paused"),
        integration("foreign", tenant=OTHER),
        integration("other", organization=OTHER),
        integration("off", state="disabled"),
    ]
    return [mark.integration_id for mark in marks_for_event(kind, event(origin), every)]


def test_a_change_is_told_to_every_mirror_but_its_own() -> None:
    assert marked() == ["a", "b", "paused"]
    assert marked("a") == ["b", "paused"]
    assert marked("somewhere else") == ["a", "b", "paused"]


@pytest.mark.parametrize("kind", [events.CREATED, events.DELETED, events.REVERTED, events.REOPENED])
def test_every_lifecycle_event_tells(kind: str) -> None:
    assert marked(kind=kind)


@pytest.mark.parametrize("kind", [events.DUE, events.OVERDUE, events.NEXT_INTERACTION_UPDATED])
def test_other_events_do_not(kind: str) -> None:
    assert not marked(kind=kind)
