"""The Avro schemas: golden files fresh, and every released version readable and able to read."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from pydantic import BaseModel

from schemas.avro_schemas import (
    GOLDEN,
    RECORDS,
    avro_schemas,
    golden_files,
    record_schema,
    release,
    render,
    subject,
)
from schemas.events import EVENT_TYPES
from schemas.payloads import PAYLOADS
from tests.contract.avro_compatibility import incompatibilities
from tests.contract.avro_values import completed, sample, with_datetimes

RELEASED = sorted((GOLDEN / "released").glob("*/*.avsc"))


def test_golden_files_are_fresh() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.avsc")}
    assert found == golden_files(), "run: python -m schemas.avro_schemas --write"


def test_every_command_and_event_has_a_schema_of_its_name() -> None:
    schemas = avro_schemas()
    assert set(PAYLOADS) | set(EVENT_TYPES) <= set(schemas)
    for name, schema in schemas.items():
        assert f"{schema['namespace']}.{schema['name']}" == name
        fastavro.parse_schema(schema, named_schemas={})


def test_members_are_the_models_json_names() -> None:
    for models in RECORDS.values():
        for name, model in models.items():
            aliases = [field.alias or python for python, field in model.model_fields.items()]
            assert [field["name"] for field in avro_schemas()[name]["fields"]] == aliases


def test_what_may_be_absent_defaults_to_null_false_or_nothing() -> None:
    update = {field["name"]: field for field in avro_schemas()["customers.interaction.update"]["fields"]}
    instant = {"type": "long", "logicalType": "timestamp-micros"}
    uuid = {"type": "string", "logicalType": "uuid"}
    assert update["id"] == {"name": "id", "type": uuid}
    assert update["dealId"] == {"name": "dealId", "type": ["null", uuid], "default": None}
    assert update["scheduledAt"] == {"name": "scheduledAt", "type": ["null", instant], "default": None}
    assert update["interactionType"] == {
        "name": "interactionType",
        "type": ["null", "string"],
        "default": None,
    }
    assert update["priority"] == {"name": "priority", "type": ["null", "int"], "default": None}
    assert update["validateOnly"] == {"name": "validateOnly", "type": "boolean", "default": False}
    assert update["clear"]["type"] == {"type": "array", "items": "string"}
    assert update["clear"]["default"] == []
    status = next(
        f for f in avro_schemas()["customers.interaction.create"]["fields"] if f["name"] == "status"
    )
    assert status["type"] == ["null", "string"]


def test_subject_is_topic_and_record() -> None:
    assert subject("eu.customers.interactions.commands", "customers.interaction.create") == (
        "eu.customers.interactions.commands-customers.interaction.create"
    )


def test_a_type_without_avro_counterpart_is_refused() -> None:
    class Loose(BaseModel):
        anything: dict[str, int]

    with pytest.raises(TypeError, match="anything: no Avro type"):
        record_schema("customers.test", Loose)


def test_a_release_is_kept_once(tmp_path: Path) -> None:
    release("9.9.9", tmp_path)
    kept = tmp_path / "released" / "9.9.9"
    assert {path.name: path.read_text() for path in kept.iterdir()} == golden_files()
    with pytest.raises(FileExistsError):
        release("9.9.9", tmp_path)


def test_there_is_a_released_version() -> None:
    assert RELEASED


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_released_versions_read_today_and_today_reads_them(path: Path) -> None:
    old = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem in avro_schemas(), "a released record may not disappear"
    new = avro_schemas()[path.stem]
    assert incompatibilities(new, old) == [], "today's reader, released writer"
    assert incompatibilities(old, new) == [], "released reader, today's writer"


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_values_cross_released_versions(path: Path) -> None:
    """The same by an independent Avro implementation: what one writes, the other reads."""
    old = json.loads(path.read_text(encoding="utf-8"))
    new = avro_schemas()[path.stem]
    for writer, reader in ((old, new), (new, old)):
        shared = {field["name"] for field in writer["fields"]} & {field["name"] for field in reader["fields"]}
        for full in (True, False):
            value = with_datetimes(writer, completed(writer, sample(writer, full=full)))
            read = _transfer(writer, reader, value)
            assert {name: read[name] for name in shared} == {name: value[name] for name in shared}


def _transfer(writer: dict[str, Any], reader: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    out = BytesIO()
    fastavro.schemaless_writer(out, _parsed(writer), value)
    out.seek(0)
    read: Any = fastavro.schemaless_reader(out, _parsed(writer), _parsed(reader))
    assert isinstance(read, dict)
    return read


def _parsed(schema: dict[str, Any]) -> Any:
    # Without the UUID type: that implementation would turn text into another type.
    text = render(schema).replace('"logicalType": "uuid"', '"note": "uuid"')
    return fastavro.parse_schema(json.loads(text), named_schemas={})
