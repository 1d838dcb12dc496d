"""In-memory schema registry for the decoder and the auditor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from audit.avro_values import AvroValues
from schemas.avro_codec import AvroDecoder


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

    def decoder(self) -> AvroDecoder:
        """Decoder of the applier."""
        return AvroDecoder(self._text)

    def values(self) -> AvroValues:
        """Decoder of the auditor."""
        return AvroValues(cast("SchemaRegistryClient", self))

    def _text(self, schema_id: int) -> str | None:
        return self._texts[schema_id - 1] if 0 < schema_id <= len(self._texts) else None
