"""Writer schemas of other versions and of careless publishers."""

from __future__ import annotations

import copy
from typing import Any

from schemas.avro_schemas import avro_schemas

_CREATE, _UPDATE = "customers.interaction.create", "customers.interaction.update"


def _changed(name: str, *more: dict[str, Any], **types: Any) -> dict[str, Any]:
    """Command schema with further fields, and other types for some; ``...`` omits a field."""
    schema = copy.deepcopy(avro_schemas()[name])
    schema["fields"] = [
        {"name": field["name"], "type": types[field["name"]]} if field["name"] in types else field
        for field in schema["fields"]
        if types.get(field["name"]) is not ...
    ]
    schema["fields"].extend(more)
    return schema


def _optional(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


def writer_schemas() -> list[Any]:
    """Released schemas, newer and older versions, other field types, and unusable ones."""
    itself = {"type": "record", "name": "Loop", "fields": [_optional("next", "Loop")]}
    wide = {
        "type": "record",
        "name": "Wide",
        "fields": [{"name": f"f{n}", "type": "null"} for n in range(40)],
    }
    return [
        avro_schemas()[_CREATE],
        avro_schemas()[_UPDATE],
        avro_schemas()["customers.interaction.cancel"],
        avro_schemas()["customers.interaction_type.upsert"],
        _changed(_CREATE, _optional("mood", "string")),
        _changed(
            _UPDATE, _optional("mood", "string"), _optional("parts", {"type": "array", "items": "string"})
        ),
        _changed(_CREATE, priority=..., body=...),
        _changed(_CREATE, priority="long"),
        _changed(_CREATE, priority=["null", "string", "double"]),
        _changed(_CREATE, priority={"type": "int", "logicalType": "date"}),
        _changed(_CREATE, scheduledAt={"type": "long", "logicalType": "timestamp-millis"}),
        _changed(_CREATE, scheduledAt="long"),
        _changed(_CREATE, title={"type": "string", "logicalType": "uuid"}),
        _changed(_CREATE, title="bytes"),
        _changed(_CREATE, status={"type": "enum", "name": "S", "symbols": ["planned", "done", "odd"]}),
        _changed(_CREATE, validateOnly=["null", "boolean", "int", "string"]),
        _changed("customers.interaction_type.upsert", actionable=["null", "int"], strict=["null", "string"]),
        {**avro_schemas()[_CREATE], "name": "created"},
        {**avro_schemas()["customers.interaction.cancel"], "name": "reopen"},
        _changed(_CREATE, _optional("loop", itself)),
        _changed(_CREATE, _optional("wide", {"type": "array", "items": wide})),
        {"type": "array", "items": "string"},
        "string",
    ]
