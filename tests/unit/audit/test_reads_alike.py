"""The decoder and the auditor share no code and read every record alike, strange ones too."""

from __future__ import annotations

from typing import Any

from audit.envelope import parse
from audit.history import Rec
from schemas.command import Record, Refused
from schemas.decode import decode_record
from schemas.errors import Reject
from tests.harness.fuzz import Fuzz
from tests.harness.seed import SEED

_RECORDS = 3000
_NOW = 1_800_000_000_000


def _avro(value: bytes) -> dict[str, Any]:
    """A registry that knows one schema."""
    if value[1:5] != b"\x00\x00\x00\x01":
        raise ValueError("unknown schema")
    return {"interactionType": "call"}


def _named(value: bytes) -> tuple[str, dict[str, Any]]:
    try:
        return "customers.interaction.create", _avro(value)
    except ValueError as error:
        raise Reject("unknown_schema_id", "the registry does not know this schema") from error


def test_every_record_is_read_alike() -> None:
    print(f"repeat with INTERACTIONS_CHAOS_SEED={SEED}")
    fuzz = Fuzz(SEED)
    for offset in range(_RECORDS):
        raw = fuzz.record()
        ours = decode_record(Record("c", 0, offset, _NOW, raw.key, raw.value, raw.headers), _named)
        theirs = parse(Rec("c", 0, offset, _NOW, raw.key, raw.value, tuple(raw.headers)), _avro)
        if isinstance(ours, Refused):
            assert theirs.refusal is not None, (ours.rejection.code, raw)
            assert theirs.undecodable in (None, ours.undecodable), (ours.rejection.code, theirs.refusal, raw)
        else:
            assert theirs.refusal is None, (theirs.refusal, raw)
            assert theirs.validate_only == ours.validate_only, raw
