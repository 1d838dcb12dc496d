"""Events, results and cache tags: exact values, ids and order."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from pydantic import ValidationError

from domain.decision import Decision
from domain.results import result_of
from schemas import cache_tags
from schemas.event_types import EVENT_TYPES
from schemas.events import InteractionSnapshot
from schemas.identity import NAMESPACE, derive_id
from schemas.instants import format_instant, parse_instant
from tests.unit.domain.commands import ADA, ORGANIZATION, TENANT, Publisher, at, events_of, interaction_id
from tests.unit.domain.comparison import check_shape

ONE = {"id": interaction_id(1)}


def test_every_lifecycle_event_type_is_published_and_in_the_catalogue(log: Publisher) -> None:
    seen: set[str] = set()
    steps: list[tuple[str, dict[str, Any]]] = [
        ("interaction.create", {**ONE, "interactionType": "call", "scheduledAt": at(60)}),
        ("interaction.mark_due", {**ONE, "scheduleVersion": 1, "phase": "due"}),
        ("interaction.mark_due", {**ONE, "scheduleVersion": 1, "phase": "overdue"}),
        ("interaction.update", {**ONE, "title": "x"}),
        ("interaction.complete", ONE),
        ("interaction.reopen", ONE),
        ("interaction.cancel", ONE),
        ("interaction.undo", {"commandId": "interaction.cancel"}),
        ("interaction.delete", ONE),
    ]
    for kind, data in steps:
        command_id = f"{kind}{len(seen)}" if kind != "interaction.cancel" else kind
        decision = log.applied(kind, data, command_id=command_id)
        check_shape(decision)
        sequences = [event.sequence for event in events_of(decision) if event.sequence is not None]
        assert sequences == [
            10 * result_of(decision)["entityVersion"] + place for place in range(len(sequences))
        ]
        seen |= {event.type for event in events_of(decision)}
    bob, deal = interaction_id(70), interaction_id(50)
    for kind, data, entity in (
        ("entity.upsert", {"id": bob, "kind": "person", "displayName": "Bob"}, bob),
        ("entity.upsert", {"id": bob, "kind": "company"}, bob),
        ("deal.upsert", {"id": deal, "title": "Renewal"}, ADA),
        ("deal.upsert", {"id": deal, "status": "won"}, ADA),
        ("entity.erase", {"id": bob}, bob),
        ("interaction_type.upsert", {"interactionType": "inspection", "label": "Inspection"}, ORGANIZATION),
        ("interaction_type.upsert", {"interactionType": "inspection", "label": "On site"}, ORGANIZATION),
    ):
        decision = log.applied(kind, data, entity=entity)
        check_shape(decision)
        (event,) = events_of(decision)
        assert (event.key, event.payload["entityId"]) == (entity, entity)
        seen.add(event.type)
    seen |= _events_of_signals(log)
    assert seen == set(EVENT_TYPES)


def _events_of_signals(log: Publisher) -> set[str]:
    """Every change of a signal and a draft; return the types of their events."""
    call, signal = interaction_id(80), interaction_id(81)
    log.applied("interaction.create", {"id": call, "interactionType": "call"})
    draft, seen = "", set[str]()

    def applied(kind: str, data: dict[str, Any], command_id: str | None = None) -> Decision:
        decision = log.applied(kind, data, command_id=command_id)
        check_shape(decision)
        seen.update(event.type for event in events_of(decision))
        return decision

    applied("signal.record", {"id": signal, "interactionId": call, "kind": "risk", "title": "May leave"}, "r")
    applied("signal.update", {"id": signal, "title": "May leave soon", "confidence": 40}, "u")
    applied("interaction.undo", {"commandId": "u"})
    applied("signal.skip", {"id": signal, "reason": "later"})
    applied("signal.reopen", {"id": signal})
    for kind, data in (
        ("signal.fail_draft", {"code": "writer_timeout", "detail": "No answer"}),
        ("signal.attach_draft", {"body": "Dear Ada", "writer": "openai_compatible", "model": "m"}),
    ):
        resolved = applied("signal.resolve", {"id": signal, "channel": "text", "instruction": "short"})
        resolution = result_of(resolved)["version"]
        decision = applied(kind, {"id": signal, "resolution": resolution, **data})
        draft = str(result_of(decision)["draftId"])
    applied("draft.update", {"id": draft, "body": "Hello Ada"}, "d")
    applied("interaction.undo", {"commandId": "d"})
    applied("draft.delete", {"id": draft})
    applied("draft.restore", {"id": draft})
    applied("draft.mark_sent", {"id": draft})
    applied("interaction.delete", {"id": call})
    return seen


def test_a_type_that_a_command_adds_has_an_event_under_the_organization(log: Publisher) -> None:
    decision = log.applied("interaction.create", {**ONE, "interactionType": "site visit"})
    *_, event = events_of(decision)
    assert (event.type, event.key) == ("customers.interaction_type.created", ORGANIZATION)
    assert event.payload["after"] == {
        "code": "site_visit",
        "label": "Site visit",
        "icon": None,
        "color": None,
        "actionable": True,
        "organizationId": ORGANIZATION,
        "tenantId": TENANT,
    }
    again = log.applied("interaction.create", {"interactionType": "site visit"})
    assert [event.type for event in events_of(again)] == ["customers.interaction.created"]


def test_a_changed_record_names_its_fields(log: Publisher) -> None:
    decision = log.applied("entity.upsert", {"id": ADA, "kind": "person", "primaryEmail": "ada@example.com"})
    (event,) = events_of(decision)
    assert event.type == "customers.entity.updated"
    assert event.payload["changedFields"] == ["primaryEmail"]
    assert event.payload["before"]["primaryEmail"] is None
    assert event.sequence == 10 * event.payload["entityVersion"]


def test_an_event_names_its_cause(log: Publisher) -> None:
    decision = log.applied(
        "interaction.create",
        {**ONE, "interactionType": "call", "source": "manual", "sourceTimestamp": at(-2)},
        command_id="cause",
        syncorigin="trello",
        actorid="user-1",
    )
    (event,) = events_of(decision)
    wanted = {
        "id": interaction_id(1),
        "entityId": ADA,
        "tenantId": TENANT,
        "organizationId": ORGANIZATION,
        "interactionType": "call",
        "status": "planned",
        "source": "manual",
        "commandId": "cause",
        "reason": "created",
        "syncOrigin": "trello",
        "actorId": "user-1",
        "recordedAt": at(1),
        "sourceTimestamp": at(-2),
        "occurredAt": None,
        "version": 1,
        "entityVersion": 2,
    }
    assert {name: event.payload[name] for name in wanted} == wanted
    assert event.id == derive_id("event", TENANT, ORGANIZATION, "cause", "customers.interaction.created")


def test_a_snapshot_of_another_shape_is_refused(log: Publisher) -> None:
    after = events_of(log.plan(1))[0].payload["after"]
    InteractionSnapshot.model_validate(after)
    for wrong in ({**after, "extra": 1}, {**after, "createdAt": "2026-03-02"}, {**after, "version": "1"}):
        with pytest.raises(ValidationError):
            InteractionSnapshot.model_validate(wrong)


def test_a_result_invalidates_what_shows_otherwise(log: Publisher) -> None:
    entity_tag = cache_tags.interactions_of_entity(ADA)
    list_tag = cache_tags.interaction_list(TENANT, ORGANIZATION)
    next_tag = cache_tags.next_interaction_of_entity(ADA)
    assert result_of(log.plan(1, 60))["invalidates"] == [entity_tag, list_tag, next_tag]
    update = log.applied("interaction.update", {**ONE, "body": "x"})
    assert result_of(update)["invalidates"] == [entity_tag, list_tag]
    assert result_of(log.send("interaction.update", {**ONE, "body": "x"}))["invalidates"] == []
    assert result_of(log.send("interaction.reopen", ONE))["invalidates"] == []


def test_the_texts_of_cache_tags() -> None:
    assert cache_tags.interactions_of_entity("e") == "customers:interaction:entity:e"
    assert cache_tags.next_interaction_of_entity("e") == "customers:next-interaction:entity:e"
    assert cache_tags.interaction_list("t", "o") == "customers:interaction:list:t:o"
    assert cache_tags.interaction_mapping("i", "t", "o") == "integrations:interaction-mapping:i:t:o"


@pytest.mark.parametrize("parts", [(), ("a",), ("a", "b", "ä"), ("x" * 200, "")])
def test_derived_ids_are_uuids_of_version_5(parts: tuple[str, ...]) -> None:
    assert derive_id("kind", *parts) == str(uuid.uuid5(NAMESPACE, "/".join(("kind", *parts))))


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ("2026-03-01T09:00:00Z", "2026-03-01T09:00:00.000000Z"),
        ("2026-03-01T09:00:00.5+02:00", "2026-03-01T07:00:00.500000Z"),
        ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00.000000Z"),
        ("2199-12-31T23:59:59.999999Z", "2199-12-31T23:59:59.999999Z"),
    ],
)
def test_instants_are_written_one_way(text: str, formatted: str) -> None:
    assert format_instant(parse_instant(text)) == formatted
    assert parse_instant(formatted) == parse_instant(text)
