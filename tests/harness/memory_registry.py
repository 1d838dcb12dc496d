"""In-memory schema registry for the decoder and the auditor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from audit.avro_values import AvroValues
from schemas.avro_codec import AvroDecoder, AvroEncoder
from schemas.avro_schemas import avro_schemas


class MemoryRegistry:
    """Registry over a list of schemas; the first has id 1."""

    def __init__(self, schemas: Sequence[Any]) -> None:
        self._texts = [json.dumps(schema) for schema in schemas]

    def get_schema(self, schema_id: int) -> Any:
        """Return a schema by id, like the registry's client.

        :raises SchemaRegistryError: the id is unknown.
        """
        text = self._text(schema_id)
        if text is None:
            raise SchemaRegistryError(404, 40403, "Schema not found")
        return SimpleNamespace(schema_type="AVRO", schema_str=text)

    def decoder(self, *, text_instants: bool = False) -> AvroDecoder:
        """Decoder of the applier, or with ``text_instants`` of the gateway."""
        return AvroDecoder(self._text, text_instants=text_instants)

    def values(self) -> AvroValues:
        """Decoder of the auditor."""
        return AvroValues(cast("SchemaRegistryClient", self))

    @classmethod
    def of_the_contract(cls) -> MemoryRegistry:
        """Registry with all schemas of the contract."""
        return cls(list(avro_schemas().values()))

    @staticmethod
    def encoder() -> AvroEncoder:
        """Encoder for a registry :meth:`of_the_contract`."""
        return AvroEncoder({name: number for number, name in enumerate(avro_schemas(), start=1)})

    def _text(self, schema_id: int) -> str | None:
        return self._texts[schema_id - 1] if 0 < schema_id <= len(self._texts) else None
