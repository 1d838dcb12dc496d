"""Erasure of a customer: nothing of it remains, nothing brings it back, and nothing else changes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from domain.decide import fold
from domain.erasure import scrubbed
from domain.events import events_of as events_of_entry
from domain.journal import Facts, published_count
from domain.model import ErasedEntity, ErasedInteraction
from domain.results import outcome_of, result_of
from schemas import cache_tags
from tests.unit.domain.commands import (
    ADA,
    BOB,
    FOREIGN,
    ORGANIZATION,
    TENANT,
    Publisher,
    at,
    deal_id,
    events_of,
    interaction_id,
    stored,
)
from tests.unit.domain.store import Store

CALL, VISIT, DEAL = interaction_id(1), interaction_id(2), deal_id(1)
SIGNAL = "60000000-0000-4000-8000-000000000001"
TEXTS = ("Ada", "ada@example.com", "Roof repair", "Call about", "Promise to send", "Dear Ada")
COUNTS = {"interactions": 2, "deals": 1, "signals": 1, "drafts": 1}


@pytest.fixture
def full() -> Publisher:
    """Ada with a deal, interactions, a signal and its draft; Bob with an interaction."""
    log = Publisher()
    data = {"id": ADA, "kind": "person", "displayName": "Ada", "primaryEmail": "ada@example.com"}
    log.applied("entity.upsert", data, command_id="ada")
    log.customer(BOB)
    log.applied("deal.upsert", {"id": DEAL, "title": "Roof repair"}, command_id="deal")
    log.plan(1, 60, title="Call about the roof", dealId=DEAL)
    log.plan(2, 30, title="Visit")
    log.applied("interaction.complete", {"id": VISIT}, command_id="complete")
    signal = {"id": SIGNAL, "interactionId": CALL, "kind": "promise", "title": "Promise to send the offer"}
    log.applied("signal.record", signal)
    log.applied("signal.resolve", {"id": SIGNAL, "channel": "email"}, actorid="ann")
    resolution = log.work.signals[SIGNAL].resolution
    answer = {"id": SIGNAL, "resolution": resolution, "body": "Dear Ada, …", "writer": "template"}
    log.applied("signal.attach_draft", answer)
    create = {"id": interaction_id(3), "interactionType": "call"}
    log.applied("interaction.create", create, entity=BOB)
    return log


def erase(log: Publisher, **options: Any) -> Any:
    return log.applied("entity.erase", {"id": ADA, **options}, command_id="erase")


def rows_of(log: Publisher, entity: str) -> list[Any]:
    return [
        row
        for kind, records in log.work.sets.items()
        if kind not in (ErasedEntity, ErasedInteraction)
        for row in records.values()
        if entity in (getattr(row, "entity_id", None), getattr(row, "id", None))
    ]


def test_every_row_of_the_customer_goes_and_no_other(full: Publisher) -> None:
    bob = rows_of(full, BOB)
    version = full.work.entities[ADA].entity_version
    decision = erase(full)
    assert rows_of(full, ADA) == []
    assert rows_of(full, BOB) == bob
    noted = full.work.erased[ADA]
    assert (noted.entity_version, noted.command_id, noted.mirrors) == (version + 1, "erase", "leave")
    assert result_of(decision)["entityVersion"] == version + 1
    assert result_of(decision)["undoToken"] is None


def test_the_event_counts_and_names_nothing(full: Publisher) -> None:
    ids = {CALL, VISIT, DEAL, SIGNAL, *full.work.drafts}
    (event,) = events_of(erase(full, mirrors="delete"))
    assert (event.type, event.key, event.subject) == ("customers.entity.erased", ADA, ADA)
    assert {name: event.payload[name] for name in COUNTS} == COUNTS
    assert event.payload["mirrors"] == "delete"
    shown = str(event.payload)
    assert not [text for text in (*TEXTS, *ids) if text in shown]


def test_the_facts_have_ids_and_no_texts(full: Publisher) -> None:
    drafts = tuple(full.work.drafts)
    entry = erase(full).entry
    facts = entry.facts
    assert isinstance(facts, Facts)
    assert facts.erased is not None
    assert (facts.erased.interactions, facts.erased.deals) == ((CALL, VISIT), (DEAL,))
    assert (facts.erased.signals, facts.erased.drafts) == ((SIGNAL,), drafts)
    text = msgspec.json.encode(facts).decode()
    assert not [word for word in TEXTS if word in text]
    assert published_count(facts) == 1
    assert stored(entry) == entry


def test_the_views_of_the_customer_and_the_lists_are_invalidated(full: Publisher) -> None:
    assert set(result_of(erase(full))["invalidates"]) == {
        cache_tags.interactions_of_entity(ADA),
        cache_tags.next_interaction_of_entity(ADA),
        cache_tags.interaction_list(TENANT, ORGANIZATION),
        cache_tags.signal_list(TENANT, ORGANIZATION),
        cache_tags.draft_list(TENANT, ORGANIZATION),
    }


LATER: list[tuple[str, dict[str, Any]]] = [
    ("entity.upsert", {"id": ADA, "kind": "person", "displayName": "Ada"}),
    ("entity.erase", {"id": ADA}),
    ("deal.upsert", {"id": DEAL, "title": "Roof"}),
    ("interaction.create", {"interactionType": "call"}),
    ("interaction.update", {"id": CALL, "title": "Again"}),
    ("interaction.mark_due", {"id": CALL, "scheduleVersion": 1, "phase": "due"}),
    ("interaction.recompute_next", {}),
    ("interaction.undo", {"commandId": "complete"}),
    ("interaction.undo", {"commandId": "erase"}),
    ("signal.record", {"interactionId": CALL, "kind": "risk", "title": "New"}),
    ("signal.fail_draft", {"id": SIGNAL, "resolution": 1, "code": "no_writer"}),
]


@pytest.mark.parametrize(("kind", "data"), LATER, ids=[f"{kind} {data}"[:60] for kind, data in LATER])
def test_every_later_command_is_rejected(full: Publisher, kind: str, data: dict[str, Any]) -> None:
    erase(full)
    decision = full.refused("entity_erased", kind, data)
    assert result_of(decision)["problem"]["status"] == 410
    assert rows_of(full, ADA) == []


def test_another_organization_sees_a_foreign_id(full: Publisher) -> None:
    erase(full)
    kwargs: dict[str, Any] = {"organization": FOREIGN}
    person = {"id": ADA, "kind": "person", "displayName": "Ada"}
    full.refused("id_not_available", "entity.upsert", person, **kwargs)
    full.refused("entity_not_found", "interaction.create", {"interactionType": "call"}, **kwargs)
    full.refused("interaction_not_found", "interaction.update", {"id": CALL, "title": "x"}, **kwargs)
    full.refused("entity_not_found", "entity.erase", {"id": ADA}, **kwargs)


def test_an_unknown_customer_cannot_be_erased() -> None:
    log = Publisher()
    log.refused("entity_not_found", "entity.erase", {"id": ADA})
    log.customer()


def test_the_expected_version_is_that_of_the_customer(full: Publisher) -> None:
    version = full.work.entities[ADA].entity_version
    full.refused("version_conflict", "entity.erase", {"id": ADA, "expectedVersion": version - 1})
    full.applied("entity.erase", {"id": ADA, "expectedVersion": version})


def test_validate_only_erases_nothing(full: Publisher) -> None:
    decision = full.send("entity.erase", {"id": ADA, "validateOnly": True})
    assert (decision.outcome, decision.writes, decision.removes) == ("applied", (), ())
    assert not events_of(decision)
    assert ADA in full.work.entities
    full.applied("interaction.cancel", {"id": CALL})


def test_a_repeated_command_is_a_duplicate(full: Publisher) -> None:
    erase(full)
    decision = full.send("entity.erase", {"id": ADA}, command_id="erase")
    assert decision.outcome == "duplicate"
    first = full.send("interaction.complete", {"id": VISIT}, command_id="complete")
    assert first.outcome == "duplicate"


def test_one_batch_may_create_erase_and_send_more() -> None:
    log, store = Publisher(), Store()
    person = {"id": ADA, "kind": "person", "displayName": "Ada"}
    store.execute([log.make("entity.upsert", person), log.make("deal.upsert", {"id": DEAL, "title": "x"})])
    create = {"id": CALL, "interactionType": "call", "scheduledAt": at(60), "dealId": DEAL}
    store.execute([log.make("interaction.create", create)])
    decisions = store.execute(
        [
            log.make("interaction.update", {"id": CALL, "title": "Last words"}),
            log.make("interaction.create", {"id": VISIT, "interactionType": "visit"}),
            log.make("entity.erase", {"id": ADA}),
            log.make("interaction.create", {"id": VISIT, "interactionType": "visit"}),
            log.make("entity.upsert", person),
        ]
    )
    assert [decision.outcome for decision in decisions] == ["applied"] * 3 + ["rejected"] * 2
    assert not store.entities
    assert not store.interactions
    assert not store.deals
    assert store.tables[ErasedInteraction].keys() == {CALL, VISIT}


def test_versions_of_an_erased_interaction_continue_for_another_customer(full: Publisher) -> None:
    last = full.work.interactions[CALL].version
    erase(full)
    data = {"id": CALL, "interactionType": "call"}
    decision = full.applied("interaction.create", data, entity=BOB)
    assert result_of(decision)["version"] == last + 2, "the erasure has a version of its own"
    store = Store()
    store.tables[ErasedInteraction][CALL] = ErasedInteraction(CALL, TENANT, ORGANIZATION, ADA, last + 1)
    fold(work := store.load([full.make("interaction.create", data, entity=BOB)]), [])
    assert work.deleted_versions[CALL] == last + 1


def test_an_id_is_erased_with_each_customer_that_used_it(full: Publisher) -> None:
    store, log = Store(), Publisher()
    for customer in (ADA, BOB):
        person = {"id": customer, "kind": "person", "displayName": "Ada"}
        create = {"id": CALL, "interactionType": "call"}
        for kind, data in (
            ("entity.upsert", person),
            ("interaction.create", create),
            ("entity.erase", {"id": customer}),
        ):
            (decision,) = store.execute([log.make(kind, data, entity=customer)])
            assert decision.outcome == "applied"
    (row,) = store.tables[ErasedInteraction].values()
    assert (row.entity_id, row.version) == (BOB, 4)


def test_scrubbed_facts_answer_a_duplicate_without_texts(full: Publisher) -> None:
    entries = [entry for entry in full.work.journal.values() if entry.entity_id == ADA]
    assert len(entries) > 5
    erase(full)
    for entry in entries:
        facts = scrubbed(stored(entry))
        text = msgspec.json.encode(facts).decode()
        assert not [word for word in TEXTS if word in text]
        kept = msgspec.structs.replace(entry, facts=facts)
        assert facts.scrubbed is not None
        assert [kind for kind, _ in facts.scrubbed] == [event.type for event in events_of_entry(entry)]
        assert events_of_entry(stored(kept)) == ()
        before, after = outcome_of(entry), outcome_of(stored(kept))
        for name in ("commandId", "outcome", "version", "entityVersion", "interactionId", "signalId"):
            assert before[name] == after[name]
        assert (after["undoToken"], after["nextInteraction"]) == (None, None)
