"""People, companies and deals."""

from __future__ import annotations

from domain.model import Entity
from domain.record_set import Changes
from domain.results import result_of
from tests.unit.domain.commands import ADA, BOB, Publisher, deal_id


def upsert(**fields: object) -> dict[str, object]:
    return {"id": ADA, "kind": "person", "displayName": "Ada", **fields}


def test_a_new_customer_starts_at_version_1_with_nothing_planned(log: Publisher) -> None:
    entity = log.work.entities[ADA]
    assert (entity.entity_version, entity.next, entity.last) == (1, None, None)
    assert (entity.open_count, entity.overdue_count, entity.done_count) == (0, 0, 0)
    assert log.work.entities.changes() == Changes([entity])


def test_fields_not_given_are_kept_and_null_empties(log: Publisher) -> None:
    log.applied("entity.upsert", upsert(primaryEmail="a@b.c", primaryPhone="1"))
    log.applied("entity.upsert", upsert(kind="company", primaryPhone=None))
    entity = log.work.entities[ADA]
    assert (entity.kind, entity.primary_email, entity.primary_phone) == ("company", "a@b.c", None)
    assert entity.entity_version == 3


def test_an_upsert_keeps_the_projection(log: Publisher) -> None:
    log.plan(1, 60)
    before = log.work.entities[ADA]
    (after,) = log.applied("entity.upsert", upsert(displayName="Grace")).writes
    assert isinstance(after, Entity)
    assert (after.next, after.open_count) == (before.next, 1)


def test_the_same_again_is_no_change(log: Publisher) -> None:
    decision = log.send("entity.upsert", upsert())
    assert (decision.outcome, result_of(decision)["entityVersion"]) == ("no_op", 1)


def test_a_deal_is_added_changed_and_told_again(log: Publisher) -> None:
    data = {"id": deal_id(1), "title": "Deal", "status": "open"}
    assert log.applied("deal.upsert", data).writes == (log.work.deals[deal_id(1)],)
    assert log.send("deal.upsert", {"id": deal_id(1), "title": "Deal"}).outcome == "no_op"
    log.applied("deal.upsert", {"id": deal_id(1), "title": "Deal", "status": None})
    assert log.work.deals[deal_id(1)].status is None
    assert log.work.deals.changes() == Changes([log.work.deals[deal_id(1)]])


def test_a_deal_needs_its_customer_and_stays_with_it(log: Publisher) -> None:
    data = {"id": deal_id(1), "title": "Deal"}
    log.refused("entity_not_found", "deal.upsert", data, entity=BOB)
    log.applied("deal.upsert", data)
    log.customer(BOB)
    log.refused("entity_mismatch", "deal.upsert", data, entity=BOB)


def test_only_a_new_customer_or_deal_needs_its_name(log: Publisher) -> None:
    """Omitted fields are kept, so a change cannot revert a rename that its publisher has not seen."""
    log.refused("validation_failed", "entity.upsert", {"id": BOB, "kind": "person"}, entity=BOB)
    log.applied("entity.upsert", {"id": ADA, "kind": "person", "primaryPhone": "1"})
    assert log.work.entities[ADA].display_name == "Ada"
    log.refused("validation_failed", "deal.upsert", {"id": deal_id(1), "status": "open"})
    log.applied("deal.upsert", {"id": deal_id(1), "title": "Deal"})
    log.applied("deal.upsert", {"id": deal_id(1), "status": "open"})
    assert (log.work.deals[deal_id(1)].title, log.work.deals[deal_id(1)].status) == ("Deal", "open")
    log.refused("validation_failed", "deal.upsert", {"id": deal_id(1), "title": None})


def test_a_deal_has_versions(log: Publisher) -> None:
    deal = {"id": deal_id(1)}
    log.refused("version_conflict", "deal.upsert", {**deal, "title": "Deal", "expectedVersion": 1})
    made = log.applied("deal.upsert", {**deal, "title": "Deal", "expectedVersion": 0})
    assert (result_of(made)["version"], log.work.deals[deal_id(1)].version) == (1, 1)
    log.refused("version_conflict", "deal.upsert", {**deal, "title": "Deal", "expectedVersion": 0})
    log.applied("deal.upsert", {**deal, "status": "open", "expectedVersion": 1})
    log.refused("version_conflict", "deal.upsert", {**deal, "title": "Late", "expectedVersion": 1})
    assert log.send("deal.upsert", {**deal, "status": "open"}).outcome == "no_op"
    assert log.work.deals[deal_id(1)].version == 2
