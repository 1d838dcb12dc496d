"""Every invariant, violated on purpose in an otherwise clean history: the auditor must report it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest

from audit.findings import Report
from audit.history import RelayPosition
from audit.run import audit
from schemas.topics import (
    COMMANDS,
    DEAD_LETTERS,
    DEAL_STATE,
    ENTITY_STATE,
    EVENTS,
    INTERACTION_STATE,
    NEXT_INTERACTION_STATE,
    RESULTS,
    TYPE_STATE,
)
from tests.unit.audit.machine import Machine, make_id
from tests.unit.audit.planting import Tamper, failed, log_of, row_of
from tests.unit.audit.signal_plants import PLANTS
from tests.unit.audit.story import ANNA, BODO, CALL, DEAL, FRED, LOGGED, MAIL, OTHER_TENANT, run_story

CASES: dict[str, tuple[str, Tamper]] = {}


def breaks(invariant: str) -> Callable[[Tamper], Tamper]:
    """Register a tampering that the check of ``invariant`` must catch."""

    def register(tamper: Tamper) -> Tamper:
        CASES[tamper.__name__.strip("_")] = (invariant, tamper)
        return tamper

    return register


def _forget_event(row: dict[str, Any]) -> None:
    """Take the lifecycle event from a row of the journal."""
    row["event"] = None
    row["events"] -= 1


@breaks("A1")
def _result_lost(m: Machine) -> None:
    del m.topics[RESULTS][m.find(RESULTS, ce_causationid="create-mail")]


@breaks("A1")
def _result_twice(m: Machine) -> None:
    record = m.topics[RESULTS][m.find(RESULTS, ce_causationid="create-mail")]
    m.topics[RESULTS].append(record._replace(offset=10_000))


@breaks("A1")
def _result_of_no_command(m: Machine) -> None:
    at = m.find(COMMANDS)
    del m.topics[COMMANDS][at]


@breaks("A1")
def _log_row_lost(m: Machine) -> None:
    m.journal.remove(log_of(m, "update-same"))


@breaks("A1")
def _logged_twice(m: Machine) -> None:
    m.journal.append(dict(log_of(m, "update-call")))


@breaks("A1")
def _log_and_result_differ(m: Machine) -> None:
    m.change(RESULTS, m.find(RESULTS, ce_causationid="update-same"), outcome="applied")


@breaks("A1")
def _dry_run_logged(m: Machine) -> None:
    asked = next(r for r in m.topics[COMMANDS] if b"only-asking" in (r.value or b""))
    m.journal.append(
        {**m.journal[0], "command_id": "only-asking", "partition": asked.partition, "offset": asked.offset}
    )


@breaks("A2")
def _row_lost(m: Machine) -> None:
    m.tables["customer_interactions"].remove(row_of(m, "customer_interactions", CALL))


@breaks("A2")
def _title_changed(m: Machine) -> None:
    row_of(m, "customer_interactions", CALL)["title"] = "Ask about the rook"


@breaks("A2")
def _long_body_changed(m: Machine) -> None:
    row_of(m, "customer_interactions", MAIL)["body"] = "b" * 299 + "c"


@breaks("A2")
def _as_of_not_kept(m: Machine) -> None:
    row_of(m, "customer_interactions", CALL)["status_as_of"] += timedelta(microseconds=1)


@breaks("A2")
def _flag_flipped(m: Machine) -> None:
    m.tables["feature_flags"][0]["enabled"] = False


@breaks("A2")
def _flag_lost(m: Machine) -> None:
    del m.tables["feature_flags"][0]


@breaks("A2")
def _flag_of_no_command(m: Machine) -> None:
    m.tables["feature_flags"].append(
        {**m.tables["feature_flags"][0], "flag": "customers.interactions.unified"}
    )


@breaks("A2")
def _entity_lost(m: Machine) -> None:
    m.tables["customer_entities"].remove(row_of(m, "customer_entities", BODO))


@breaks("A2")
def _deal_lost(m: Machine) -> None:
    m.tables["customer_deals"].remove(row_of(m, "customer_deals", DEAL))


@breaks("A2")
def _entity_version_skipped(m: Machine) -> None:
    row_of(m, "customer_entities", ANNA)["entity_version"] += 1


@breaks("A2")
def _label_lost(m: Machine) -> None:
    next(row for row in m.tables["interaction_types"] if row["code"] == "call")["label"] = "Call"


@breaks("A2")
def _duplicate_carried_out(m: Machine) -> None:
    at = next(
        at for at, r in enumerate(m.topics[RESULTS]) if orjson.loads(r.value or b"")["outcome"] == "duplicate"
    )
    m.change(RESULTS, at, outcome="applied", first=None)


@breaks("A2")
def _illegal_transition_allowed(m: Machine) -> None:
    log_of(m, "complete-mail-again")["outcome"] = "no_op"
    m.change(RESULTS, m.find(RESULTS, ce_causationid="complete-mail-again"), outcome="no_op", problem=None)


@breaks("A2")
def _rejected_by_another_name(m: Machine) -> None:
    problem = {"code": "cancel_done"}
    m.change(RESULTS, m.find(RESULTS, ce_causationid="complete-mail-again"), problem=problem)


@breaks("A2")
def _stale_change_applied(m: Machine) -> None:
    # The log has the two commands in the opposite order.
    first, second = (next(i for i, r in enumerate(m.topics[COMMANDS]) if name in (r.value or b""))
                     for name in (b'"update-call"', b'"cancel-call"'))  # fmt: skip
    one, two = m.topics[COMMANDS][first], m.topics[COMMANDS][second]
    m.topics[COMMANDS][first] = one._replace(value=two.value)
    m.topics[COMMANDS][second] = two._replace(value=one.value)


@breaks("A2")
def _made_with_a_version_from_nowhere(m: Machine) -> None:
    m.change(RESULTS, m.find(RESULTS, ce_causationid="create-mail"), version=5)


@breaks("A4")
def _appears_with_a_version_from_nowhere(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="create-mail")
    after = orjson.loads(m.topics[EVENTS][at].value or b"")["after"]
    m.change(EVENTS, at, version=5, after={**after, "version": 5})


@breaks("A3")
def _projection_drifted(m: Machine) -> None:
    row_of(m, "customer_entities", ANNA)["next_interaction_at"] += timedelta(days=1)


@breaks("A3")
def _projection_skipped(m: Machine) -> None:
    row = row_of(m, "customer_entities", ANNA)
    row.update({name: None for name in row if name.startswith("next_interaction_")})


@breaks("A3")
def _old_label_shown(m: Machine) -> None:
    row_of(m, "customer_entities", ANNA)["next_interaction_name"] = "Something else"


@breaks("A3")
def _count_drifted(m: Machine) -> None:
    row_of(m, "customer_entities", ANNA)["open_count"] += 1


@breaks("A3")
def _result_announces_another(m: Machine) -> None:
    m.change(RESULTS, m.find(RESULTS, ce_causationid="update-call"), nextInteraction=None)


@breaks("A4")
def _event_lost(m: Machine) -> None:
    del m.topics[EVENTS][m.find(EVENTS, ce_causationid="update-call")]


@breaks("A4")
def _event_twice(m: Machine) -> None:
    record = m.topics[EVENTS][m.find(EVENTS, ce_causationid="update-call")]
    m.topics[EVENTS].append(record._replace(offset=10_000))


@breaks("A4")
def _events_inverted(m: Machine) -> None:
    records = m.topics[EVENTS]
    a, b = m.find(EVENTS, ce_causationid="cancel-call"), m.find(EVENTS, ce_causationid="reopen-call")
    records[a], records[b] = (
        records[b]._replace(offset=records[a].offset),
        records[a]._replace(offset=records[b].offset),
    )


@breaks("A4")
def _undo_without_its_event(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="undo-complete", ce_type="customers.interaction.reverted")
    del m.topics[EVENTS][at]
    _forget_event(log_of(m, "undo-complete"))


@breaks("A4")
def _next_event_lost(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="complete-mail", ce_type="customers.next_interaction.updated")
    del m.topics[EVENTS][at]


@breaks("A4")
def _version_chain_gap(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="update-call")
    after = orjson.loads(m.topics[EVENTS][at].value or b"")["after"]
    m.change(EVENTS, at, version=after["version"] + 1, after={**after, "version": after["version"] + 1})


@breaks("A4")
def _wrong_before(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="update-call")
    before = orjson.loads(m.topics[EVENTS][at].value or b"")["before"]
    m.change(EVENTS, at, before={**before, "priority": 99})


@breaks("A5")
def _event_of_a_rejected_command(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="update-call")
    record = m.topics[EVENTS][at]
    headers = tuple(
        (name, b"complete-mail-again" if name == "ce_causationid" else text) for name, text in record.headers
    )
    m.topics[EVENTS].append(record._replace(offset=10_000, headers=headers))
    m.change(EVENTS, len(m.topics[EVENTS]) - 1, commandId="complete-mail-again")


@breaks("A5")
def _event_of_no_command(m: Machine) -> None:
    m.journal.remove(log_of(m, "update-call"))


@breaks("A5")
def _row_without_a_command(m: Machine) -> None:
    row = dict(row_of(m, "customer_interactions", CALL))
    m.tables["customer_interactions"].append({**row, "id": make_id("ghost"), "status": "canceled"})


@breaks("A6")
def _watermark_past_a_missing_outcome(m: Machine) -> None:
    del m.topics[RESULTS][m.find(RESULTS, ce_causationid="create-mail")]
    m.journal.remove(log_of(m, "create-mail"))


@breaks("A6")
def _watermark_past_the_end(m: Machine) -> None:
    m.tables["consumed_offsets"][0]["next_offset"] += 5


@breaks("A6")
def _applied_above_the_watermark(m: Machine) -> None:
    m.tables["consumed_offsets"][0]["next_offset"] -= 1


@breaks("A6")
def _offsets_committed_before_the_database(m: Machine) -> None:
    m.cut.committed = {partition: offset + 1 for partition, offset in m.watermark.items()}


@breaks("A7")
def _letter_altered_by_one_byte(m: Machine) -> None:
    record = m.topics[DEAD_LETTERS][0]
    assert record.value is not None
    m.topics[DEAD_LETTERS][0] = record._replace(value=record.value[:-1] + b"N")


@breaks("A7")
def _letter_lost(m: Machine) -> None:
    del m.topics[DEAD_LETTERS][0]


@breaks("A7")
def _letter_twice(m: Machine) -> None:
    m.topics[DEAD_LETTERS].append(m.topics[DEAD_LETTERS][0]._replace(offset=10_000))


@breaks("A7")
def _letter_header_lost(m: Machine) -> None:
    record = m.topics[DEAD_LETTERS][0]
    assert ("note", b"kept") in record.headers
    m.topics[DEAD_LETTERS][0] = record._replace(
        headers=tuple(header for header in record.headers if header[0] != "note")
    )


@breaks("A7")
def _letter_without_reason(m: Machine) -> None:
    record = m.topics[DEAD_LETTERS][1]
    m.topics[DEAD_LETTERS][1] = record._replace(
        headers=tuple(header for header in record.headers if header[0] != "dl_reason")
    )


@breaks("A8")
def _tombstone_missing(m: Machine) -> None:
    records = m.topics[INTERACTION_STATE]
    at = max(i for i, r in enumerate(records) if r.key == LOGGED.encode())
    assert records[at].value is None
    del records[at]


@breaks("A8")
def _state_is_not_the_row(m: Machine) -> None:
    records = m.topics[INTERACTION_STATE]
    at = max(i for i, r in enumerate(records) if r.key == CALL.encode())
    m.change(INTERACTION_STATE, at, priority=77)


@breaks("A8")
def _customer_is_not_the_row(m: Machine) -> None:
    at = max(i for i, r in enumerate(m.topics[ENTITY_STATE]) if r.key == ANNA.encode())
    m.change(ENTITY_STATE, at, openCount=77)


@breaks("A8")
def _deal_never_shown(m: Machine) -> None:
    m.topics[DEAL_STATE] = []


@breaks("A8")
def _type_never_shown(m: Machine) -> None:
    code = m.topics[TYPE_STATE][-1].key
    m.topics[TYPE_STATE] = [r for r in m.topics[TYPE_STATE] if r.key != code]


@breaks("A9")
def _event_of_a_customer_lost(m: Machine) -> None:
    del m.topics[EVENTS][m.find(EVENTS, ce_type="customers.entity.created")]


@breaks("A4")
def _event_of_a_deal_lost_with_its_fact(m: Machine) -> None:
    at = m.find(EVENTS, ce_type="customers.deal.created")
    cause = dict(m.topics[EVENTS][at].headers)["ce_causationid"]
    del m.topics[EVENTS][at]
    row = log_of(m, (cause or b"").decode())
    row["record_kind"] = None
    row["events"] -= 1


@breaks("A4")
def _event_shows_another_deal(m: Machine) -> None:
    at = m.find(EVENTS, ce_type="customers.deal.created")
    after = orjson.loads(m.topics[EVENTS][at].value or b"")["after"]
    m.change(EVENTS, at, after={**after, "title": "Another"})


@breaks("A8")
def _next_tombstone_missing(m: Machine) -> None:
    records = m.topics[NEXT_INTERACTION_STATE]
    at = max(i for i, r in enumerate(records) if r.key == BODO.encode())
    assert records[at].value is None
    del records[at]


@breaks("A8")
def _state_never_shown(m: Machine) -> None:
    m.topics[INTERACTION_STATE][:] = [r for r in m.topics[INTERACTION_STATE] if r.key != MAIL.encode()]


@breaks("A9")
def _relay_passed_an_event(m: Machine) -> None:
    del m.topics[EVENTS][m.find(EVENTS, ce_causationid="create-call")]


@breaks("A9")
def _published_but_not_in_the_journal(m: Machine) -> None:
    _forget_event(log_of(m, "update-call"))


@breaks("A9")
def _events_of_a_row_miscounted(m: Machine) -> None:
    log_of(m, "update-call")["events"] += 1


@breaks("A9")
def _relabel_command_lost(m: Machine) -> None:
    at = m.find(COMMANDS, ce_causationid="relabel-call")
    assert at == len(m.topics[COMMANDS]) - 1
    record = m.topics[COMMANDS].pop(at)
    m.topics[RESULTS].pop()
    m.watermark[record.partition] -= 1
    m.journal.pop()


@breaks("A10")
def _tenant_filter_dropped(m: Machine) -> None:
    row_of(m, "customer_interactions", CALL)["tenant_id"] = OTHER_TENANT


@breaks("A10")
def _event_of_another_scope(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="update-call")
    after = orjson.loads(m.topics[EVENTS][at].value or b"")["after"]
    m.change(EVENTS, at, after={**after, "tenantId": OTHER_TENANT})


@breaks("A10")
def _result_of_another_scope(m: Machine) -> None:
    m.change(RESULTS, m.find(RESULTS, ce_causationid="update-call"), organizationId=OTHER_TENANT)


@breaks("A10")
def _entity_in_another_scope(m: Machine) -> None:
    row_of(m, "customer_entities", BODO)["organization_id"] = OTHER_TENANT


@breaks("A16")
def _row_of_an_erased_customer(m: Machine) -> None:
    m.tables["customer_interactions"].append({**row_of(m, "customer_interactions", CALL), "entity_id": FRED})


@breaks("A16")
def _payload_of_an_erased_customer(m: Machine) -> None:
    next(row for row in m.journal if row["entity_id"] == FRED)["has_payload"] = True


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_planted_violation_is_caught(case: str) -> None:
    invariant, tamper = CASES[case]
    machine = run_story()
    tamper(machine)
    report = audit(machine.history())
    assert invariant in failed(report), report.to_json()
    assert not report.ok
    for check in report.checks.values():
        for violation in check.violations:
            # A violation that does not identify its row or record is useless.
            assert len(violation) > 1, violation


def test_every_invariant_is_violated_in_at_least_two_ways() -> None:
    violated = [invariant for invariant, _ in CASES.values()]
    violated += [planted.check for planted in PLANTS.values()]
    assert {invariant for invariant in violated if violated.count(invariant) >= 2} == set(Report().checks)


def test_a_leak_into_another_tenant_names_the_command() -> None:
    """Apply a foreign tenant's command: its outcome contradicts the fold."""
    machine = run_story()
    at = next(i for i, r in enumerate(machine.topics[COMMANDS]) if OTHER_TENANT.encode() in (r.value or b""))
    place = machine.topics[COMMANDS][at]
    log = next(r for r in machine.journal if (r["partition"], r["offset"]) == (place.partition, place.offset))
    log["outcome"] = "applied"
    result = machine.find(
        RESULTS, ce_commandpartition=str(place.partition), ce_commandoffset=str(place.offset)
    )
    machine.change(RESULTS, result, outcome="applied", problem=None)
    report = audit(machine.history())
    assert any(found["commandId"] == log["command_id"] for found in report.checks["A2"].violations)


def test_unpublished_rows_are_lag_and_not_a_violation() -> None:
    machine = Machine()
    machine.send("entity.upsert", {"id": ANNA, "kind": "person", "displayName": "Anna"}, entity=ANNA)
    at = "2026-03-10T09:00:00Z"
    machine.send(
        "interaction.create", {"id": CALL, "interactionType": "call", "scheduledAt": at}, entity=ANNA
    )
    machine.settle()
    del machine.topics[EVENTS][-2:]
    machine.topics[INTERACTION_STATE].pop()
    machine.topics[NEXT_INTERACTION_STATE].pop()
    machine.topics[ENTITY_STATE].pop()
    machine.cut.relay = RelayPosition(1000, 10**6, len(machine.journal) - 1)
    report = audit(machine.history())
    assert failed(report) == set()
    assert report.lag == {"events": 2}
    machine.cut.relay = RelayPosition(1000, 10**6, len(machine.journal))
    assert failed(audit(machine.history())) == {"A4", "A8", "A9"}


def test_states_may_lag_behind_the_events() -> None:
    machine = Machine()
    machine.send("entity.upsert", {"id": ANNA, "kind": "person", "displayName": "Anna"}, entity=ANNA)
    at = "2026-03-10T09:00:00Z"
    machine.send(
        "interaction.create", {"id": CALL, "interactionType": "call", "scheduledAt": at}, entity=ANNA
    )
    machine.settle()
    machine.topics[INTERACTION_STATE].pop()
    machine.topics[NEXT_INTERACTION_STATE].pop()
    machine.topics[ENTITY_STATE].pop()
    machine.states = RelayPosition(1000, 10**6, len(machine.journal) - 1)
    assert failed(audit(machine.history())) == set()
    machine.states = None
    assert failed(audit(machine.history())) == {"A8"}


@pytest.mark.parametrize("relayed", range(len(run_story().journal) + 1))
def test_wherever_the_relay_is_what_it_has_not_published_is_lag(relayed: int) -> None:
    machine = run_story(relayed)
    report = audit(machine.history())
    assert failed(report) == set(), {name: check.violations for name, check in report.checks.items()}
    waiting = sum(row["events"] for row in machine.journal[relayed:])
    assert report.lag.get("events", 0) == waiting


def test_commands_past_the_watermark_are_lag() -> None:
    machine = run_story()
    machine.send("interaction.cancel", {"id": CALL}, entity=ANNA)
    machine.cut.committed = dict(machine.watermark)
    report = audit(machine.history())
    assert failed(report) == set()
    assert report.lag == {"commands": 1}


def test_results_past_the_groups_offset_are_lag() -> None:
    machine = run_story()
    record = machine.topics[COMMANDS][-1]
    machine.topics[RESULTS].pop()
    machine.cut.committed = {**machine.watermark, record.partition: record.offset}
    report = audit(machine.history())
    assert failed(report) == set()
    assert report.lag == {"results": 1}


def test_a_known_violation_does_not_count_and_a_new_one_does() -> None:
    m = run_story()
    row_of(m, "customer_interactions", CALL)["title"] = "Ask about the rook"
    report = audit(m.history())
    known = frozenset(found["finding"] for check in report.checks.values() for found in check.violations)
    assert known
    assert not report.ok
    again = audit(m.history())
    again.mark_known(known | {"A2-0123456789ab"})
    assert again.ok
    assert any("A2-0123456789ab is no longer found" in note for note in again.notes)
    row_of(m, "customer_interactions", MAIL)["body"] = "another"
    more = audit(m.history())
    more.mark_known(known)
    assert not more.ok
