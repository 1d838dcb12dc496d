"""Avro codec: same bytes as another implementation, and robust against hostile input."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import avro_codec
from schemas.avro_bounds import UnusableSchemaError, bounded_schema
from schemas.avro_codec import AvroDecoder, AvroEncoder
from schemas.avro_schemas import avro_schemas, render
from schemas.avro_writer import varint
from schemas.errors import Reject, Retry, Stop
from tests.contract.avro_values import completed, sample, values, with_datetimes
from tests.harness.examples import scaled

IDS = {name: number for number, name in enumerate(avro_schemas(), start=100)}
NAMES = {number: name for name, number in IDS.items()}
ENCODER = AvroEncoder(IDS)
CREATE = "customers.interaction.create"
UPDATED = "customers.interaction.updated"
RESULT = "customers.interaction.result"


def contract(schema_id: int) -> str | None:
    return render(avro_schemas()[NAMES[schema_id]]) if schema_id in NAMES else None


def read(value: bytes) -> tuple[str, dict[str, Any]]:
    return AvroDecoder(contract, text_instants=True).decode(value)


def wire(schema_id: int, body: bytes) -> bytes:
    return b"\x00" + schema_id.to_bytes(4, "big") + body


def rejection(decoder: AvroDecoder, value: bytes) -> str:
    with pytest.raises(Reject) as caught:
        decoder.decode(value)
    return caught.value.code


@pytest.mark.parametrize("name", [UPDATED, RESULT, CREATE])
@given(data=st.data())
@settings(max_examples=scaled(40), suppress_health_check=[HealthCheck.too_slow])
def test_bytes_are_those_of_another_implementation(name: str, data: st.DataObject) -> None:
    schema = avro_schemas()[name]
    value = data.draw(values(schema))
    encoded = ENCODER.encode(name, value)
    out = BytesIO()
    plain = json.loads(render(schema).replace('"logicalType": "uuid"', '"note": "uuid"'))
    whole = completed(schema, value)
    fastavro.schemaless_writer(
        out, fastavro.parse_schema(plain, named_schemas={}), with_datetimes(schema, whole)
    )
    assert encoded == wire(IDS[name], out.getvalue())
    assert read(encoded) == (name, whole)


@pytest.mark.parametrize("name", list(IDS))
@pytest.mark.parametrize("full", [True, False])
def test_every_record_goes_there_and_back(name: str, full: bool) -> None:
    schema = avro_schemas()[name]
    value = sample(schema, full=full)
    assert read(ENCODER.encode(name, value)) == (name, completed(schema, value))


@pytest.mark.parametrize("size", [0, 63, 64, 4095, 4096, 10_000])
def test_texts_of_every_length(size: int) -> None:
    for text in ("a" * size, "é" * size):
        value = {"interactionType": text, "body": text, "expectedVersion": size}
        found = read(ENCODER.encode(CREATE, value))[1]
        assert {name: found[name] for name in value} == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_are_zig_zag(number: int) -> None:
    out = BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    assert varint(number) == out.getvalue()


def test_uuids_stay_text_and_instants_are_datetimes() -> None:
    interaction = str(uuid4())
    value = {"id": interaction, "interactionType": "call", "scheduledAt": "2026-03-01T10:00:00.5+01:00"}
    _, members = AvroDecoder(contract).decode(ENCODER.encode(CREATE, value))
    assert members["id"] == interaction
    assert members["scheduledAt"] == datetime(2026, 3, 1, 9, 0, 0, 500_000, tzinfo=UTC)


def test_null_in_a_command_means_not_given() -> None:
    encoded = ENCODER.encode(CREATE, {"interactionType": "call", "priority": 0})
    name, members = AvroDecoder(contract).decode_command(encoded)
    assert (name, members) == (CREATE, {"interactionType": "call", "priority": 0, "validateOnly": False})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": None}, "/version"),
        ({"version": 2**63}, "/version"),
        ({"reason": None}, "/reason"),
        ({"recordedAt": "yesterday"}, "/recordedAt"),
        ({"recordedAt": "2026-03-01T09:00:00"}, "/recordedAt"),
        ({"changedFields": None}, "/changedFields"),
        ({"after": {"id": "x"}}, "/after/entityId"),
        ({"titel": "Jane's secret"}, "titel"),
    ],
)
def test_a_value_that_does_not_fit_names_its_field_only(change: dict[str, Any], field: str) -> None:
    value = {**sample(avro_schemas()[UPDATED], full=True), "commandId": "secret", **change}
    with pytest.raises(Stop) as caught:
        ENCODER.encode(UPDATED, value)
    assert field in str(caught.value)
    assert UPDATED in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_required_member_may_not_be_missing() -> None:
    value = sample(avro_schemas()[UPDATED], full=True)
    del value["reason"]
    with pytest.raises(Stop, match="/reason"):
        ENCODER.encode(UPDATED, value)


def test_an_unregistered_name_stops() -> None:
    with pytest.raises(Stop, match=r"customers\.unknown has no schema id"):
        ENCODER.encode("customers.unknown", {})


def test_many_instants_do_not_fill_the_memory() -> None:
    start = 1_700_000_000_000_000
    value = sample(avro_schemas()[UPDATED], full=True)
    for micros in range(start, start + 20_000):
        value["recordedAt"] = datetime.fromtimestamp(micros / 1e6, UTC)
        ENCODER.encode(UPDATED, value)
    from schemas.avro_writer import _CACHED_INSTANTS, _NAMES

    assert len(_NAMES["I"]) <= _CACHED_INSTANTS


# Hostile input


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x00",
        b"\x00\x00\x00\x00",
        b"\x01\x00\x00\x00\x64",
        b"{}",
        wire(IDS[CREATE], b""),
        wire(IDS[CREATE], b"\xff" * 200),
        wire(IDS[CREATE], b"\x80" * 5_000),
        wire(IDS[CREATE], b"\x02" + varint(2**62)),
        wire(IDS[CREATE], b"\x02" + varint(-5) + b"abcdefgh"),
        ENCODER.encode(CREATE, {"interactionType": "call"}) + b"\x00",
        ENCODER.encode(CREATE, {"interactionType": "call"})[:-1],
    ],
)
def test_bytes_that_do_not_fit_are_undecodable(value: bytes) -> None:
    assert rejection(AvroDecoder(contract), value) == "undecodable"


def test_text_that_is_not_utf8_is_undecodable() -> None:
    encoded = ENCODER.encode(CREATE, {"interactionType": "call"}).replace(b"call", b"c\xffll")
    assert rejection(AvroDecoder(contract), encoded) == "undecodable"


def test_an_instant_beyond_the_calendar_is_undecodable() -> None:
    schema = {
        "type": "record",
        "name": "late",
        "fields": [{"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}],
    }
    decoder = AvroDecoder(lambda _: json.dumps(schema))
    assert rejection(decoder, wire(1, varint(2**62))) == "undecodable"


@given(st.binary(max_size=400))
@settings(max_examples=scaled(300))
def test_random_bodies_never_raise_anything_else(body: bytes) -> None:
    decoder = AvroDecoder(contract)
    for name in (CREATE, RESULT):
        try:
            found, members = decoder.decode_command(wire(IDS[name], body))
        except Reject:
            continue
        assert found == name
        json.dumps(members, default=str)


@given(st.data())
@settings(max_examples=scaled(100), suppress_health_check=[HealthCheck.too_slow])
def test_damaged_values_never_raise_anything_else(data: st.DataObject) -> None:
    body = bytearray(ENCODER.encode(UPDATED, sample(avro_schemas()[UPDATED], full=True)))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(5, len(body) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Reject):
        assert read(bytes(body))[0] == UPDATED


def test_an_unknown_id_is_asked_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("schemas.avro_codec.time.monotonic", lambda: now[0])
    asked: list[int] = []
    known: dict[int, str] = {}

    def fetch(schema_id: int) -> str | None:
        asked.append(schema_id)
        return known.get(schema_id)

    decoder = AvroDecoder(fetch)
    value = ENCODER.encode(CREATE, {"interactionType": "call"})
    for _ in range(3):
        assert rejection(decoder, value) == "unknown_schema_id"
    assert len(asked) == 1
    known[IDS[CREATE]] = contract(IDS[CREATE]) or ""
    now[0] += avro_codec.UNKNOWN_SECONDS + 0.1
    for _ in range(3):
        assert decoder.decode(value)[0] == CREATE
    assert len(asked) == 2


def test_an_unreachable_registry_is_no_verdict() -> None:
    answers: list[str | None] = []

    def fetch(schema_id: int) -> str | None:
        if not answers:
            raise Retry("down")
        return answers[0]

    decoder = AvroDecoder(fetch)
    value = ENCODER.encode(CREATE, {"interactionType": "call"})
    for _ in range(2):
        with pytest.raises(Retry):
            decoder.decode(value)
    answers.append(contract(IDS[CREATE]))
    assert decoder.decode(value)[0] == CREATE


def _record(name: str, *types: Any) -> dict[str, Any]:
    fields = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(types)]
    return {"type": "record", "name": name, "fields": fields}


def _doubling(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = _record("r0")
    for level in range(1, levels):
        schema = _record(f"r{level}", schema, f"r{level - 1}")
    return schema


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (_record("self", "self"), "contains itself"),
        (_record("self", ["null", "self"]), "contains itself"),
        (_doubling(40), "more than 10000 values"),
        (_record("a", {"type": "array", "items": "null"}), "too many values per byte"),
        (_record("a", {"type": "array", "items": _record("empty")}), "too many values per byte"),
        (_record("a", {"type": "map", "values": _record("wide", "int", *["null"] * 99)}), "too many values"),
        (_record("a", "bytes"), "not used by the contract"),
        (_record("a", {"type": "fixed", "name": "f", "size": 2**60}), "not used by the contract"),
        (_record("a", {"type": "string", "items": 1, "__fastavro_parsed_schema": True}), None),
        (_record("a", []), "a union is empty"),
        (_record("a", 7), "a type is not a name, an object or a list"),
        ({"type": "record", "name": "a", "fields": 7}, "no list of fields"),
        ({"type": "record", "fields": []}, "no name"),
        ("string", "it is not a record"),
        ({"type": "array", "items": "string"}, "it is not a record"),
        (_record("a", _record("b"), _record("b")), "defined twice"),
    ],
)
def test_schemas_that_could_hurt_are_refused(schema: Any, reason: str | None) -> None:
    if reason is None:
        bounded_schema(schema)
        return
    with pytest.raises(UnusableSchemaError, match=reason):
        bounded_schema(schema)
    assert rejection(AvroDecoder(lambda _: json.dumps(schema)), wire(1, b"\x00" * 50)) == "unusable_schema"


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"type":' * 500 + '"int"' + "}" * 500])
def test_schemas_that_are_no_json_are_refused(text: str) -> None:
    assert rejection(AvroDecoder(lambda _: text), wire(1, b"\x00")) == "unusable_schema"


def test_a_refused_id_is_not_asked_for_again() -> None:
    asked: list[int] = []

    def fetch(schema_id: int) -> str | None:
        asked.append(schema_id)
        raise Reject("unusable_schema", "JSON Schema, not Avro")

    decoder = AvroDecoder(fetch)
    for _ in range(3):
        assert rejection(decoder, wire(7, b"\x00")) == "unusable_schema"
    assert asked == [7]


def test_schemas_of_the_contract_pass_the_bounds() -> None:
    for name, schema in avro_schemas().items():
        assert bounded_schema(schema)[0] == name


def test_a_foreign_schema_keeps_its_names() -> None:
    schema = {
        "type": "record",
        "name": "create",
        "namespace": "customers.interaction",
        "doc": "by another writer",
        "fields": [
            {"name": "interactionType", "type": {"type": "string", "avro.java.string": "String"}},
            {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["planned", "done"]}},
            {"name": "clear", "type": {"type": "array", "items": "string"}, "default": []},
            {"name": "scheduledAt", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        ],
    }
    out = BytesIO()
    at = datetime(2026, 3, 1, tzinfo=UTC)
    value = {"interactionType": "call", "status": "done", "clear": ["body"], "scheduledAt": at}
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    decoder = AvroDecoder(lambda _: json.dumps(schema))
    assert decoder.decode_command(wire(3, out.getvalue())) == (CREATE, value)
