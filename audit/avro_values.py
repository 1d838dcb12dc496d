"""Decode Avro in Confluent's wire format: a zero byte, a 4-byte schema id, the data."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

import fastavro
import orjson
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from fastavro.types import Schema

from audit.writer_schema import usable
from schemas.errors import Stop

_HEAD: Final = 5
_NOT_FOUND: Final = frozenset({404, 422})


class AvroValues:
    """Avro decoder backed by the schema registry; each schema is fetched once."""

    def __init__(self, registry: SchemaRegistryClient) -> None:
        self._registry = registry
        self._schemas: dict[bytes, tuple[str, Schema] | None] = {}

    def decode(self, value: bytes) -> Any:
        """Decode a value to its data, by field name.

        :raises ValueError: as ``decode_named``.
        :raises Stop: the registry is unavailable.
        """
        return self.decode_named(value)[1]

    def decode_named(self, value: bytes) -> tuple[str, Any]:
        """Decode a value to the full name of its record schema and its data, by field name.

        :raises ValueError: not the wire format, an unknown schema id, an unusable schema, or data that does
            not match the schema to the last byte.
        :raises Stop: the registry is unavailable.
        """
        head = value[:_HEAD]
        if len(head) < _HEAD or head[0] != 0:
            raise ValueError("not Avro in Confluent's wire format")
        if head not in self._schemas:
            self._schemas[head] = self._fetch(int.from_bytes(head[1:], "big"))
        known = self._schemas[head]
        if known is None:
            raise ValueError("the registry has no usable schema with this id")
        name, schema = known
        body = BytesIO(value[_HEAD:])
        try:
            data = fastavro.schemaless_reader(body, schema, None)
        except Exception as error:
            raise ValueError(f"the data does not match its schema: {type(error).__name__}") from error
        if body.tell() != len(value) - _HEAD:
            raise ValueError("trailing bytes after the data")
        return name, data

    def _fetch(self, schema_id: int) -> tuple[str, Schema] | None:
        try:
            found = self._registry.get_schema(schema_id)
        except SchemaRegistryError as error:
            if error.http_status_code in _NOT_FOUND:
                return None
            raise Stop(
                f"the schema registry returned {error.http_status_code} for schema id {schema_id}"
            ) from error
        except Exception as error:
            raise Stop(f"the schema registry is unavailable: {type(error).__name__}") from error
        if found.schema_type != "AVRO" or found.schema_str is None:
            return None
        try:
            schema = usable(orjson.loads(found.schema_str))
            return schema["name"], fastavro.parse_schema(schema, named_schemas={})
        except Exception:  # noqa: BLE001 - any publisher's schema; the parser raises many types
            return None
