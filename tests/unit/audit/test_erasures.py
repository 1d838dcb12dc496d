"""Erased customers in the audit: clean histories pass, and everything that remains is found."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pytest

from audit.run import audit
from domain.model import ErasedEntity
from schemas.topics import (
    DEAL_STATE,
    DRAFT_STATE,
    ENTITY_STATE,
    EVENTS,
    INTERACTION_STATE,
    RESULTS,
    SIGNAL_STATE,
)
from tests.harness.examples import first_of
from tests.unit.audit.machine import ORGANIZATION, Machine, make_id
from tests.unit.audit.planting import Tamper, failed, log_of
from tests.unit.audit.signal_story import CARA
from tests.unit.audit.story import ANNA, BODO, CALL, DEAL, MAIL, OTHER_TENANT, run_story
from tests.unit.audit.test_clean_histories import ENTITIES, _command

ERASE = "entity.erase"


def erased(customer: str = ANNA, **data: Any) -> Machine:
    """The story, after which one customer is erased and further commands on it arrive."""
    m = run_story()
    m.send(ERASE, {"id": customer, **data}, entity=customer, command_id="erase")
    m.send("interaction.update", {"id": CALL, "title": "Too late"}, entity=customer)
    m.send("entity.upsert", {"id": customer, "kind": "person", "displayName": "Back"}, entity=customer)
    m.send("interaction.undo", {"commandId": "update-call"}, entity=customer)
    m.send(ERASE, {"id": customer}, entity=customer)
    m.send("interaction.complete", {"id": MAIL}, entity=ANNA, command_id="complete-mail")
    foreign = {"id": customer, "kind": "person", "displayName": "Elsewhere"}
    m.send("entity.upsert", foreign, entity=customer, tenant=OTHER_TENANT)
    m.send("interaction.cancel", {"id": CALL}, entity=customer, tenant=OTHER_TENANT)
    return m.settle()


@pytest.mark.parametrize("customer", [ANNA, BODO, CARA], ids=["anna", "bodo", "with signals"])
def test_an_erasure_is_clean_before_and_after_its_job(customer: str) -> None:
    m = erased(customer)
    report = audit(m.history())
    assert not failed(report), [check.violations for check in report.checks.values() if check.failed]
    assert report.lag["erasures"] == 1
    assert report.checks["A16"].lag > 0
    m = erased(customer).clean()
    report = audit(m.history())
    assert not failed(report), [check.violations for check in report.checks.values() if check.failed]
    assert report.checks["A16"].lag == 0
    assert "erasures" not in report.lag


def test_another_customer_may_use_the_ids_of_what_was_erased() -> None:
    m = erased(ANNA).clean()
    m.send("deal.upsert", {"id": DEAL, "title": "Window"}, entity=BODO)
    m.send("interaction.create", {"id": CALL, "interactionType": "call", "dealId": DEAL}, entity=BODO)
    m.settle()
    report = audit(m.history())
    assert not failed(report), [check.violations for check in report.checks.values() if check.failed]
    assert m.work.interactions[CALL].version > 2


CASES: dict[str, tuple[str, Tamper]] = {}


def breaks(invariant: str) -> Callable[[Tamper], Tamper]:
    def register(tamper: Tamper) -> Tamper:
        CASES[tamper.__name__.strip("_")] = (invariant, tamper)
        return tamper

    return register


@breaks("A16")
def _row_left(m: Machine) -> None:
    columns: dict[str, Any] = dict.fromkeys(("deal_id", "title", "body", "priority", "source"))
    kept = next(row for row in m.tables["customer_interactions"])
    m.tables["customer_interactions"].append({**kept, **columns, "id": CALL, "entity_id": ANNA})


@breaks("A16")
def _deal_left(m: Machine) -> None:
    at = datetime.fromisoformat("2026-03-02T08:00:00Z")
    row = {"id": DEAL, "entity_id": ANNA, "title": "Roof", "status": None, "version": 1, "created_at": at}
    scope = {"tenant_id": make_id("t"), "organization_id": ORGANIZATION}
    m.tables["customer_deals"].append({**row, **scope, "updated_at": at})


@breaks("A16")
def _journal_payload_left(m: Machine) -> None:
    log_of(m, "update-call")["has_payload"] = True


@breaks("A16")
def _rows_of_integrations_left(m: Machine) -> None:
    row = {"place": "integration_warnings", "entity_id": ANNA, "rows": 2, "due": True}
    m.tables["erasure_leftovers"].append(row)


@breaks("A16")
def _erasure_not_noted(m: Machine) -> None:
    m.tables["erased_entities"].clear()


@breaks("A16")
def _erasure_of_another_version(m: Machine) -> None:
    m.tables["erased_entities"][0]["entity_version"] += 1


@breaks("A16")
def _erasure_that_no_command_made(m: Machine) -> None:
    m.tables["erased_entities"].append({**m.tables["erased_entities"][0], "entity_id": make_id("stranger")})


def _without_last(m: Machine, topic: str, key: str) -> None:
    at = max(at for at, record in enumerate(m.topics[topic]) if record.key == key.encode())
    assert m.topics[topic][at].value is None
    del m.topics[topic][at]


@breaks("A8")
def _tombstone_of_the_customer_missing(m: Machine) -> None:
    _without_last(m, ENTITY_STATE, ANNA)


@breaks("A8")
def _tombstone_of_an_interaction_missing(m: Machine) -> None:
    _without_last(m, INTERACTION_STATE, CALL)


@breaks("A8")
def _tombstone_of_a_deal_missing(m: Machine) -> None:
    _without_last(m, DEAL_STATE, DEAL)


@breaks("A9")
def _event_missing(m: Machine) -> None:
    del m.topics[EVENTS][m.find(EVENTS, ce_type="customers.entity.erased")]


@breaks("A9")
def _scrubbed_event_not_in_the_journal(m: Machine) -> None:
    row = log_of(m, "update-call")
    row["scrubbed"], row["events"] = (), 0


@breaks("A2")
def _applied_after_the_erasure(m: Machine) -> None:
    at = next(
        at
        for at, record in enumerate(m.topics[RESULTS])
        if (orjson.loads(record.value or b"{}").get("problem") or {}).get("code") == "entity_erased"
    )
    m.change(RESULTS, at, problem={"code": "interaction_not_found"})


@pytest.mark.parametrize("name", CASES)
def test_what_remains_is_found(name: str) -> None:
    invariant, tamper = CASES[name]
    m = erased(ANNA).clean()
    tamper(m)
    report = audit(m.history())
    assert invariant in failed(report), failed(report)
    assert report.checks[invariant].violations


@pytest.mark.parametrize("topic", [SIGNAL_STATE, DRAFT_STATE])
def test_signals_and_drafts_need_their_tombstones(topic: str) -> None:
    m = erased(CARA).clean()
    gone = m.topics[topic].pop()
    assert gone.value is None
    assert "A8" in failed(audit(m.history()))


def test_the_erasure_of_a_customer_that_predates_the_commands_is_known() -> None:
    m = erased(ANNA).clean()
    assert isinstance(m.work.erased[ANNA], ErasedEntity)
    # Retention has removed the first commands of each partition, and with them those that made the customer.
    first: dict[int, int] = {}
    commands = m.topics["customers.interactions.commands"]
    for record in [record for record in commands if record.key == ANNA.encode()][:1]:
        first[record.partition] = record.offset + 1
    m.cut.begin = {"customers.interactions.commands": first}
    commands[:] = [r for r in commands if r.offset >= first.get(r.partition, 0)]
    report = audit(m.history())
    assert not report.checks["A16"].failed, report.checks["A16"].violations


@pytest.mark.parametrize("seed", first_of(range(40), few=10))
def test_random_histories_with_erasures_are_clean(seed: int) -> None:
    chance = random.Random(seed)
    m, sent = Machine(), list[str]()
    for entity in ENTITIES:
        m.send("entity.upsert", {"id": entity, "kind": "person", "displayName": "x"}, entity=entity)
    for number in range(80):
        kind, data, entity = _command(chance, sent)
        if number > 20 and chance.random() < 0.04:
            kind, data = "entity.erase", {"id": entity}
        sent.append(m.send(kind, data, entity=entity))
        if chance.random() < 0.3:
            m.settle()
    m.settle()
    if chance.random() < 0.5:
        m.clean()
    report = audit(m.history())
    assert not failed(report), [check.violations for check in report.checks.values() if check.failed]
