"""The Avro schemas: golden files up to date; values cross versions in both directions."""

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
    render,
    subject,
)
from schemas.event_types import EVENT_TYPES
from schemas.payloads import PAYLOADS
from tests.contract.avro_values import completed, sample, with_datetimes
from tests.contract.release import RELEASED

#: The golden files, and those of every released version.
WRITTEN = sorted([*GOLDEN.glob("*.avsc"), *RELEASED.glob("*/avro/*.avsc")])


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


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_values_cross_versions(path: Path) -> None:
    """A value written with one version is read with another; by an independent Avro implementation."""
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
