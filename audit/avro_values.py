"""Avro in Confluent's wire format: a zero byte, four bytes of schema id, the data."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

import fastavro
import orjson
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from fastavro.types import Schema

from schemas.errors import Stop

_HEAD: Final = 5
_NOT_FOUND: Final = frozenset({404, 422})


class AvroValues:
    """Decodes values with the schemas that the registry holds; each is fetched once."""

    def __init__(self, registry: SchemaRegistryClient) -> None:
        self._registry = registry
        self._schemas: dict[bytes, Schema | None] = {}

    def decode(self, value: bytes) -> Any:
        """The data of a value, by field name.

        :raises ValueError: not the wire format, an unknown schema id, or data that do not fit it.
        :raises Stop: the registry cannot be asked.
        """
        head = value[:_HEAD]
        if len(head) < _HEAD or head[0] != 0:
            raise ValueError("not Avro in Confluent's wire format")
        if head not in self._schemas:
            self._schemas[head] = self._fetch(int.from_bytes(head[1:], "big"))
        schema = self._schemas[head]
        if schema is None:
            raise ValueError("the registry does not know the schema id")
        try:
            return fastavro.schemaless_reader(BytesIO(value[_HEAD:]), schema, None)
        except Exception as error:
            raise ValueError(f"not data of its schema: {type(error).__name__}") from error

    def _fetch(self, schema_id: int) -> Schema | None:
        try:
            found = self._registry.get_schema(schema_id)
        except SchemaRegistryError as error:
            if error.http_status_code in _NOT_FOUND:
                return None
            raise Stop(f"the schema registry answers {error.http_status_code} for id {schema_id}") from error
        except Exception as error:
            raise Stop(f"the schema registry cannot be asked: {type(error).__name__}") from error
        if found.schema_type != "AVRO" or found.schema_str is None:
            return None
        return fastavro.parse_schema(orjson.loads(found.schema_str))
