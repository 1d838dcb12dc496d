"""Random and mutated records through decoder and rules: no exception, one outcome each."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any

import orjson
import pytest

from domain.decide import fold
from domain.events import events_of
from domain.unit_of_work import UnitOfWork
from schemas import command_validation, decode
from schemas.command import Command, Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from schemas.payload_values import accept_payload
from sinks.journal_rows import entry_of, journal_row
from streams.applier.dead_letter_records import dead_letter
from streams.applier.result_records import result_record
from streams.relay.records import event_records
from tests.harness.examples import scaled
from tests.harness.fuzz import Fuzz
from tests.harness.memory_registry import MemoryRegistry
from tests.harness.seed import SEED
from tests.harness.wire import event, new_id
from tests.harness.writer_schemas import writer_schemas

# Read at import: the servers' fixture removes these variables.
_RECORDS = int(os.environ.get("INTERACTIONS_FUZZ_RECORDS") or scaled(20_000))
_BATCH = 500


@pytest.mark.random
def test_no_record_stalls_decoder_or_rules() -> None:
    print(f"repeat with INTERACTIONS_CHAOS_SEED={SEED}")
    fuzz, work, seen = Fuzz(SEED), UnitOfWork(), Counter[str]()
    decode_avro = MemoryRegistry(writer_schemas()).decoder().decode_command
    now = int(time.time() * 1000)
    for start in range(0, _RECORDS, _BATCH):
        commands = []
        for offset in range(start, min(start + _BATCH, _RECORDS)):
            raw = fuzz.record()
            record = IncomingRecord("fuzz", 0, offset, now + offset, raw.key, raw.value, raw.headers)
            commands.append(decode_record(record, decode_avro))
        decisions = fold(work, commands)
        assert [decision.command for decision in decisions] == commands
        for decision in decisions:
            seen[decision.outcome] += 1
            # Every output of the decision can be encoded.
            result_record(decision, orjson.dumps)
            if decision.logged:
                row = journal_row(decision.entry)
                assert b"\x00" not in b"".join(part.encode() for part in row if isinstance(part, str))
                assert entry_of([*row[:18], None, None]) == decision.entry
                events = events_of(decision.entry)
                list(event_records(decision.entry, events, lambda _, value: orjson.dumps(value)))
            if isinstance(decision.command, Refused):
                dead_letter(decision.command)
    assert sum(seen.values()) == _RECORDS
    assert min(seen[name] for name in ("applied", "rejected", "duplicate", "no_op")) > _RECORDS // 1000, seen


@pytest.mark.random
def test_fast_acceptance_agrees_with_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data that msgspec accepts is accepted by the models too, with equal values; only they refuse."""
    print(f"repeat with INTERACTIONS_CHAOS_SEED={SEED}")
    fuzz, accepted = Fuzz(SEED + 1), Counter[str]()
    decode_avro = MemoryRegistry(writer_schemas()).decoder().decode_command
    records = [
        IncomingRecord("fuzz", 0, offset, 1_800_000_000_000, raw.key, raw.value, raw.headers)
        for offset in range(_RECORDS)
        for raw in [fuzz.record()]
    ]

    def counted(command_type: str, data: dict[str, Any]) -> Any:
        payload = accept_payload(command_type, data)
        accepted[command_type] += payload is not None
        return payload

    monkeypatch.setattr(command_validation, "accept_payload", counted)
    fast = [_comparable(decode_record(record, decode_avro)) for record in records]
    monkeypatch.setattr(command_validation, "accept_payload", lambda *_: None)
    monkeypatch.setattr(decode, "accept_envelope", lambda _: None)
    for record, found in zip(records, fast, strict=True):
        assert _comparable(decode_record(record, decode_avro)) == found, record.offset
    assert accepted["customers.interaction.create"] > _RECORDS // 100, accepted
    assert accepted["customers.interaction.update"] > _RECORDS // 1000, accepted


def _comparable(decoded: Command | Refused) -> object:
    if isinstance(decoded, Command):
        return decoded
    rejection = decoded.rejection
    found = rejection.code, rejection.detail, rejection.errors
    return decoded.envelope, found, decoded.undecodable, decoded.fingerprint


@pytest.mark.parametrize("depth", [200, 260, 900, 5000])
def test_deeply_nested_data_is_rejected(depth: int) -> None:
    """The JSON reader accepts 1,024 levels, the writer only 254."""
    message = event("interaction.create", new_id(), {"interactionType": "call", "title": "DEEP"})
    value = orjson.dumps(message).replace(b'"DEEP"', b'{"a":' * depth + b"1" + b"}" * depth)
    record = IncomingRecord("fuzz", 0, 0, 1_800_000_000_000, message["entityid"].encode(), value, ())
    (decision,) = fold(UnitOfWork(), [decode_record(record, MemoryRegistry(()).decoder().decode_command)])
    assert decision.outcome == "rejected"
    result_record(decision, orjson.dumps)
