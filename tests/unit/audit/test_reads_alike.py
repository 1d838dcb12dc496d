"""The decoder and the auditor share no code and parse every record alike, malformed ones included."""

from __future__ import annotations

from collections import Counter

from audit import history as audit_history
from audit.cloudevent import DecodeNamed
from audit.envelope import parse
from schemas.command import Refused
from schemas.decode import DecodeAvro, decode_record
from schemas.incoming_record import IncomingRecord
from tests.harness.fuzz import Fuzz
from tests.harness.memory_registry import MemoryRegistry
from tests.harness.seed import SEED
from tests.harness.wire import Raw
from tests.harness.writer_schemas import writer_schemas

_RECORDS = 6000
_NOW = 1_800_000_000_000


def _alike(raw: Raw, offset: int, ours_avro: DecodeAvro, theirs_avro: DecodeNamed) -> str:
    ours = decode_record(IncomingRecord("c", 0, offset, _NOW, raw.key, raw.value, raw.headers), ours_avro)
    theirs = parse(
        audit_history.Record("c", 0, offset, _NOW, raw.key, raw.value, tuple(raw.headers)), theirs_avro
    )
    if isinstance(ours, Refused):
        assert theirs.refusal is not None, (ours.rejection.code, raw)
        assert theirs.undecodable in (None, ours.undecodable), (ours.rejection.code, theirs.refusal, raw)
        return ours.rejection.code
    assert theirs.refusal is None, (theirs.refusal, raw)
    assert theirs.validate_only == ours.validate_only, raw
    assert theirs.expected_version == ours.expected_version, raw
    assert theirs.made == round(ours.source_timestamp.timestamp() * 1_000_000), raw
    return "avro" if (raw.value or b"").startswith(b"\x00") else "json"


def test_every_record_is_read_alike() -> None:
    print(f"repeat with INTERACTIONS_CHAOS_SEED={SEED}")
    registry = MemoryRegistry(writer_schemas())
    decoder, values = registry.decoder(), registry.values()
    fuzz, seen = Fuzz(SEED), Counter[str]()
    for offset in range(_RECORDS):
        seen[_alike(fuzz.record(), offset, decoder.decode_command, values.decode_named)] += 1
    telling = ("json", "avro", "wrong_schema", "unusable_schema", "invalid_attribute", "duplicate_field")
    assert min(seen[name] for name in telling) > 3, seen
