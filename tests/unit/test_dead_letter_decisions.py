"""Decisions on dead letters: records of their topic that no reader takes for a dead letter."""

from __future__ import annotations

from typing import get_args

import pytest

from api.dead_letters.index import DeadLetterIndex, Visibility
from runtime.dead_letters import Decision, decision_record, read_dead_letter, read_decision
from schemas.incoming_record import IncomingRecord
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import DEAD_LETTERS

TENANT, ORGANIZATION = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
OWN = Visibility(TENANT, ORGANIZATION, unscoped=False)


def _incoming(record: OutgoingRecord, offset: int = 9) -> IncomingRecord:
    headers = [
        (name, value.encode() if isinstance(value, str) else value)
        for name, value in (record.headers.items() if isinstance(record.headers, dict) else record.headers)
    ]
    return IncomingRecord(DEAD_LETTERS, 1, offset, 1_000, None, record.value, tuple(headers))


def _letter(offset: int, *forged: tuple[str, bytes]) -> IncomingRecord:
    headers = (
        ("ce_tenantid", TENANT.upper().encode()),
        ("ce_organizationid", ORGANIZATION.encode()),
        *forged,
        ("dl_topic", b"customers.interactions.commands"),
        ("dl_partition", b"3"),
        ("dl_offset", str(offset).encode()),
        ("dl_reason", b"it is not JSON"),
        ("dl_error_class", b"undecodable"),
    )
    return IncomingRecord(DEAD_LETTERS, 1, offset, offset, b"key", b"value", headers)


@pytest.mark.parametrize("decision", get_args(Decision))
def test_a_decision_is_read_as_written(decision: Decision) -> None:
    record = _incoming(decision_record("3:17", decision, by="ada"))
    found = read_decision(record)
    assert found is not None
    assert (found.letter, found.decision, found.by) == ("3:17", decision, "ada")
    assert read_dead_letter(record) is None


def test_a_record_that_pretends_to_be_a_decision_is_a_dead_letter() -> None:
    forged = _letter(
        5,
        ("dl_topic", DEAD_LETTERS.encode()),
        ("dl_error_class", b"decided"),
        ("dl_decision", b"discarded"),
        ("dl_partition", b"1"),
        ("dl_offset", b"4"),
    )
    assert read_decision(forged) is None
    index = DeadLetterIndex()
    index.add([_letter(4), forged])
    assert {stated.letter.id for stated in index.matching(OWN, "open")} == {"1:4", "1:5"}


def test_the_last_decision_counts_whatever_is_read_first() -> None:
    index = DeadLetterIndex()
    index.add([_incoming(decision_record("1:4", "discarded", by="ada"))])
    index.add([_letter(4)])
    assert [stated.state for stated in index.find(OWN, ["1:4"])] == ["discarded"]
    index.add([_incoming(decision_record("1:4", "reopened", by="bob"), 10)])
    assert [stated.state for stated in index.find(OWN, ["1:4"])] == ["open"]


def test_the_index_is_bounded_and_drops_the_oldest() -> None:
    index = DeadLetterIndex(most=3)
    index.add([_letter(offset) for offset in range(10)])
    assert [stated.letter.id for stated in index.matching(OWN, "open")] == ["1:9", "1:8", "1:7"]


def test_only_the_own_organization_sees_a_dead_letter() -> None:
    index = DeadLetterIndex()
    index.add([_letter(4)])
    other = Visibility(TENANT, TENANT, unscoped=True)
    assert index.matching(other, "open") == []
    assert index.find(other, ["1:4"]) == []
