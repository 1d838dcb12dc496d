"""Avro commands of every writer schema: valid values, and some with corrupted wire bytes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Final

import fastavro

from tests.harness.wire import ORGANIZATION, TENANT, Raw
from tests.harness.writer_schemas import writer_schemas

_TEXTS: Final = ("call", "planned", "Call about the roof", "", "yes", "2026-03-02T09:15:00Z")
_MOMENT: Final = datetime(2027, 3, 2, 9, 15, tzinfo=UTC)


class AvroRecords:
    """Records encoded with the schemas of ``writer_schemas``."""

    def __init__(self, chance: random.Random, schema_ids: Sequence[int] | None) -> None:
        self._chance = chance
        schemas = writer_schemas()
        ids = schema_ids if schema_ids is not None else range(1, len(schemas) + 1)
        self._writers = [
            (schema_id, schema, fastavro.parse_schema(schema, named_schemas={}))
            for schema_id, schema in zip(ids, schemas, strict=True)
        ]

    def record(self, entity_id: str, command_id: str) -> Raw:
        """Generate one record in binary content mode."""
        chance = self._chance
        schema_id, schema, parsed = chance.choice(self._writers)
        body = BytesIO()
        named = isinstance(schema, dict) and "fields" in schema
        fastavro.schemaless_writer(body, parsed, self._value(schema) if named else _plain(schema))
        value = b"\x00" + schema_id.to_bytes(4, "big") + body.getvalue()
        roll = chance.random()
        if roll < 0.05:
            value += chance.randbytes(chance.randint(1, 3))
        elif roll < 0.1:
            value = value[: chance.randint(5, len(value))]
        kind = f"{schema['namespace']}.{schema['name']}" if named else "customers.interaction.create"
        if chance.random() < 0.1:
            kind = "customers.interaction.create"
        organization = ORGANIZATION if not kind.endswith("_type.upsert") else entity_id
        headers = {"id": command_id, "type": kind, "source": "/fuzz", "tenantid": TENANT}
        headers |= {"organizationid": organization, "entityid": entity_id}
        return Raw(
            entity_id.encode(),
            value,
            (("content-type", b"application/avro"), *((f"ce_{k}", v.encode()) for k, v in headers.items())),
        )

    def _value(self, schema: Any) -> dict[str, Any]:
        return {field["name"]: self._member(field) for field in schema["fields"]}

    def _member(self, field: dict[str, Any]) -> Any:
        chance, kind = self._chance, field["type"]
        if isinstance(kind, list):
            if chance.random() < 0.7 or kind[-1] == "Loop":
                return None
            kind = chance.choice(kind[1:])
        if isinstance(kind, dict) and kind["type"] == "record":
            return {}
        if isinstance(kind, dict) and kind["type"] == "array":
            return []
        if isinstance(kind, dict) and kind["type"] == "enum":
            return chance.choice(kind["symbols"])
        logical = kind.get("logicalType") if isinstance(kind, dict) else None
        plain = kind["type"] if isinstance(kind, dict) else kind
        if logical in ("timestamp-micros", "timestamp-millis"):
            return _MOMENT
        if logical == "date":
            return _MOMENT.date()
        if logical == "uuid" or field["name"] == "id":
            return f"{chance.getrandbits(32):08x}-0000-4000-8000-000000000000"
        samples: dict[str, Any] = {
            "string": chance.choice(_TEXTS),
            "boolean": chance.random() < 0.5,
            "int": chance.choice((0, 1, 50, 101)),
            "long": chance.choice((0, 1, 50, 2**40)),
            "double": 5.0,
            "bytes": b"call",
            "null": None,
        }
        return samples[plain]


def _plain(schema: Any) -> Any:
    return [] if isinstance(schema, dict) else "call"
