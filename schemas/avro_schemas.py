"""Avro schemas of the contract, derived from the models; golden files in ``schemas/avro``.

``python -m schemas.avro_schemas --write`` rewrites the golden files after a model has changed.

The mapping lets every schema evolve under ``FULL_TRANSITIVE``:

- an optional or nullable field is ``["null", T]`` with default null; a boolean keeps its default, a list
  defaults to empty; every other field is required;
- instants are ``timestamp-micros``, UUIDs are strings with ``logicalType`` uuid;
- closed sets (status, outcome, phase) are strings, because a reader fails on an unknown enum symbol;
- no ``doc``, so that rewording a description does not create a new schema id.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from schemas import topics
from schemas.event_types import EVENT_TYPES
from schemas.events import (
    DealSnapshot,
    EntityState,
    InteractionSnapshot,
    InteractionTypeSnapshot,
    NextInteractionState,
)
from schemas.integration_events import INTEGRATION_EVENT_TYPES
from schemas.integrity_events import INTEGRITY_EVENT_TYPES
from schemas.outcomes import RESULT_TYPE, Result
from schemas.payload_base import Payload
from schemas.payloads import PAYLOADS
from schemas.signal_events import DraftSnapshot, SignalSnapshot

Schema = dict[str, Any]

#: Full names of the records on the state topics.
INTERACTION_STATE: Final = "customers.interaction.state"
NEXT_INTERACTION_STATE: Final = "customers.next_interaction.state"
ENTITY_STATE: Final = "customers.entity.state"
DEAL_STATE: Final = "customers.deal.state"
TYPE_STATE: Final = "customers.interaction_type.state"
SIGNAL_STATE: Final = "customers.signal.state"
DRAFT_STATE: Final = "customers.draft.state"

#: Namespace of nested records.
PARTS: Final = "customers.records"

#: Topic name → (full name → model) of all its records.
RECORDS: Final[dict[str, dict[str, type[BaseModel]]]] = {
    topics.COMMANDS: dict(PAYLOADS),
    topics.RESULTS: {RESULT_TYPE: Result},
    topics.EVENTS: dict(EVENT_TYPES),
    topics.INTERACTION_STATE: {INTERACTION_STATE: InteractionSnapshot},
    topics.NEXT_INTERACTION_STATE: {NEXT_INTERACTION_STATE: NextInteractionState},
    topics.ENTITY_STATE: {ENTITY_STATE: EntityState},
    topics.DEAL_STATE: {DEAL_STATE: DealSnapshot},
    topics.TYPE_STATE: {TYPE_STATE: InteractionTypeSnapshot},
    topics.SIGNAL_STATE: {SIGNAL_STATE: SignalSnapshot},
    topics.DRAFT_STATE: {DRAFT_STATE: DraftSnapshot},
    topics.INTEGRATION_EVENTS: dict(INTEGRATION_EVENT_TYPES),
    topics.INTEGRITY_EVENTS: dict(INTEGRITY_EVENT_TYPES),
}
_MODELS: Final = {name: model for models in RECORDS.values() for name, model in models.items()}

GOLDEN: Final = Path(__file__).parent / "avro"
_FORMATS: Final = {
    "date-time": {"type": "long", "logicalType": "timestamp-micros"},
    "uuid": {"type": "string", "logicalType": "uuid"},
}
_INT_MAX: Final = 2**31 - 1


@cache
def avro_schemas() -> dict[str, Schema]:
    """All schemas of the contract by full name; the caller must not modify them."""
    return {name: avro_schema(name) for name in _MODELS}


@cache
def avro_schema(fullname: str) -> Schema:
    """One schema of the contract; the caller must not modify it. A process derives only those it uses."""
    return record_schema(fullname, _MODELS[fullname])


def subject(topic: str, fullname: str) -> str:
    """Registry subject of a record on a topic (TopicRecordNameStrategy)."""
    return f"{topic}-{fullname}"


def record_schema(fullname: str, model: type[BaseModel]) -> Schema:
    """Derive the Avro schema of one model under a full name such as ``customers.interaction.create``.

    :raises TypeError: a field has a type that the mapping does not support.
    """
    document = model.model_json_schema(by_alias=True)
    if issubclass(model, Payload):
        always = (to_camel(field) for field in model.required_when_new)
        document["required"] = [*document.get("required", ()), *always]
    namespace, _, name = fullname.rpartition(".")
    return _record(namespace, name, document, document.get("$defs", {}), set())


def _record(namespace: str, name: str, node: Schema, parts: Schema, written: set[str]) -> Schema:
    required = set(node.get("required", ()))
    return {
        "type": "record",
        "namespace": namespace,
        "name": name,
        "fields": [
            _field(field, part, field in required, parts, written)
            for field, part in node["properties"].items()
        ],
    }


def _field(name: str, node: Schema, required: bool, parts: Schema, written: set[str]) -> Schema:
    branches = node.get("anyOf", [node])
    given = [branch for branch in branches if branch.get("type") != "null"]
    if len(given) != 1:
        raise TypeError(f"{name}: a field must have one type, optionally with null")
    avro = _type(name, given[0], parts, written)
    if len(given) == len(branches):
        if required:
            return {"name": name, "type": avro}
        if node.get("type") in ("boolean", "array"):
            return {"name": name, "type": avro, "default": node.get("default", [])}
    return {"name": name, "type": ["null", avro], "default": None}


def _type(name: str, node: Schema, parts: Schema, written: set[str]) -> Any:
    if "$ref" in node:
        part = node["$ref"].rpartition("/")[2]
        if part in written:
            return f"{PARTS}.{part}"
        written.add(part)
        return _record(PARTS, part, parts[part], parts, written)
    kind = node.get("type")
    if node.get("format") in _FORMATS:
        return dict(_FORMATS[node["format"]])
    if kind == "integer":
        return "int" if node.get("maximum", _INT_MAX + 1) <= _INT_MAX else "long"
    if kind == "array":
        return {"type": "array", "items": _type(name, node["items"], parts, written)}
    if kind not in ("string", "boolean"):
        raise TypeError(f"{name}: no Avro type for {sorted(node)}")
    return kind


def render(schema: Schema) -> str:
    """Text of a golden file; deterministic, so that the same schema always gives the same bytes."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def golden_files() -> dict[str, str]:
    """Golden file name → expected text."""
    return {f"{name}.avsc": render(schema) for name, schema in avro_schemas().items()}


def write_golden_files(folder: Path = GOLDEN) -> None:
    """Rewrite the golden files and delete those of removed records."""
    wanted = golden_files()
    for stale in folder.glob("*.avsc"):
        if stale.name not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m schemas.avro_schemas --write")
    write_golden_files()
