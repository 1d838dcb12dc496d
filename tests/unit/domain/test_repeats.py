"""Repeated command ids: duplicates, conflicts, redelivered records; and refused records."""

from __future__ import annotations

import orjson
import pytest

from domain.decision import Decision
from domain.log_identity import NO_SCOPE, log_identity
from domain.results import result_of
from domain.unit_of_work import UnitOfWork
from schemas.command import Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from tests.unit.domain.commands import (
    ADA,
    ORGANIZATION,
    TENANT,
    Publisher,
    at,
    events_of,
    interaction_id,
    never_avro,
)
from tests.unit.domain.comparison import check_shape

CALL = {"interactionType": "call", "scheduledAt": at(60)}


def test_the_same_command_again_is_a_duplicate_with_its_first_outcome(log: Publisher) -> None:
    first = log.applied("interaction.create", CALL, command_id="same")
    again = log.send("interaction.create", CALL, command_id="same")
    assert (again.outcome, again.logged, events_of(again), again.facts.after) == (
        "duplicate",
        False,
        (),
        None,
    )
    assert result_of(again)["first"] == {name: v for name, v in result_of(first).items() if name != "first"}
    assert result_of(again)["interactionId"] == first.entry.interaction_id
    assert result_of(again)["invalidates"] == []
    assert len(log.work.interactions) == 1
    check_shape(again)


def test_a_rejected_command_again_is_a_duplicate_too(log: Publisher) -> None:
    data = {"id": interaction_id(1)}
    log.refused("interaction_not_found", "interaction.complete", data, command_id="same")
    log.plan(1)
    again = log.send("interaction.complete", data, command_id="same")
    assert again.outcome == "duplicate"
    assert result_of(again)["first"]["problem"]["code"] == "interaction_not_found"


def test_the_same_id_with_other_content_is_a_conflict(log: Publisher) -> None:
    log.applied("interaction.create", CALL, command_id="same")
    first = log.work.journal[TENANT, ORGANIZATION, "same"]
    refused = log.refused(
        "idempotency_conflict", "interaction.create", {**CALL, "title": "x"}, command_id="same"
    )
    assert (refused.logged, result_of(refused)["problem"]["status"]) == (False, 409)
    assert log.work.journal[TENANT, ORGANIZATION, "same"] is first


def test_a_record_that_was_applied_before_is_answered_as_then(log: Publisher) -> None:
    command = log.make("interaction.create", CALL)
    first = log.execute(command)
    log.plan(2, 30)
    again = log.execute(command)
    assert (again.outcome, result_of(again)) == (first.outcome, result_of(first))
    assert (again.logged, events_of(again), again.writes) == (False, (), ())
    assert again.entry is first.entry


def test_an_invalid_command_is_refused_and_logged_under_its_own_id(log: Publisher) -> None:
    decision = log.refused("validation_failed", "interaction.create", {"colour": "red"}, command_id="bad")
    assert decision.logged
    assert result_of(decision)["commandId"] == "bad"
    assert result_of(decision)["problem"]["errors"][1] == {
        "code": "unknown_field",
        "detail": "is not a field of this command; remove it",
        "pointer": "/colour",
        "attribute": None,
    }
    again = log.send("interaction.create", {"colour": "red"}, command_id="bad")
    assert again.outcome == "duplicate"
    check_shape(decision)


@pytest.mark.parametrize("value", [b"\xff", None, b"{}", orjson.dumps({"id": "x", "type": "y"})])
def test_an_undecodable_record_stands_under_its_place_in_the_log(value: bytes | None) -> None:
    record = IncomingRecord("commands", 3, 7, 0, ADA.encode(), value, ())
    refused = decode_record(record, never_avro)
    assert isinstance(refused, Refused)
    assert log_identity(refused) == (NO_SCOPE, NO_SCOPE, "dead:commands:3:7")
    publisher = Publisher()
    decision = publisher.execute(refused)
    assert (decision.outcome, decision.logged) == ("rejected", True)
    check_shape(decision)
    assert publisher.execute(refused).logged is False


def test_an_id_like_the_place_of_an_undecodable_record_is_a_commands_own(log: Publisher) -> None:
    """Ids ``dead:…`` identify undecodable records; a publisher's id can never equal one of them."""
    identity = f"dead:commands:0:{log.offset + 1}"
    first = log.applied("interaction.create", CALL, command_id=identity)
    assert result_of(first)["commandId"] == identity
    scope = (("ce_id", b"x"), ("ce_tenantid", TENANT.encode()), ("ce_organizationid", ORGANIZATION.encode()))
    record = IncomingRecord("commands", 0, log.offset, 0, ADA.encode(), b"not JSON", scope)
    dead = log.execute(decode_record(record, never_avro))
    assert (dead.outcome, dead.logged) == ("rejected", True)
    assert log.send("interaction.create", CALL, command_id=identity).outcome == "duplicate"
    log.refused("undo_not_found", "interaction.undo", {"commandId": f"dead:commands:0:{log.offset}"})
    log.applied("interaction.undo", {"undoToken": result_of(first)["undoToken"]})


@pytest.mark.parametrize("length", [148, 149, 200])
def test_a_long_command_id_can_be_undone_by_its_token(log: Publisher, length: int) -> None:
    first = log.applied("interaction.create", CALL, command_id="é" * length)
    log.applied("interaction.undo", {"undoToken": result_of(first)["undoToken"]})


def test_another_source_timestamp_attribute_is_another_command(log: Publisher) -> None:
    def send(made: str) -> Decision:
        return log.send("interaction.create", CALL, command_id="timed", sourcetimestamp=made)

    assert send("2026-03-01T09:00:00Z").outcome == "applied"
    assert send("2026-03-01T09:00:00Z").outcome == "duplicate"
    assert result_of(send("2026-03-01T10:00:00Z"))["problem"]["code"] == "idempotency_conflict"


def test_an_undecodable_record_leaves_its_own_id_free(log: Publisher) -> None:
    attributes = {
        "id": "repaired-later",
        "type": "customers.interaction.create",
        "source": "tests",
        "tenantid": TENANT,
        "organizationid": ORGANIZATION,
        "entityid": ADA,
    }
    headers = tuple((f"ce_{name}", value.encode()) for name, value in attributes.items())
    record = IncomingRecord("commands", 0, 99, 0, ADA.encode(), b"not JSON", headers)
    broken = log.execute(decode_record(record, never_avro))
    assert (broken.outcome, result_of(broken)["commandId"]) == ("rejected", "repaired-later")
    assert (TENANT, ORGANIZATION, "repaired-later") not in log.work.journal
    log.applied("interaction.create", CALL, command_id="repaired-later")


def test_a_refused_record_changes_no_world() -> None:
    work = UnitOfWork()
    publisher = Publisher()
    publisher.work = work
    publisher.send("interaction.create", {"colour": "red"})
    assert [list(records) for records in work.sets.values()] == [[]] * len(work.sets)
