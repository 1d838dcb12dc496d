"""Schemas by their id, from the schema registry."""

from __future__ import annotations

from typing import Final

from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError

from runtime.registry import make_registry
from runtime.settings import Settings
from schemas.avro_codec import FetchSchema
from schemas.errors import Reject, Retry

_NOT_FOUND: Final = 404
_SECONDS: Final = 5.0


def make_fetch(settings: Settings) -> FetchSchema:
    """A function that asks the registry for the text of a schema; the caller keeps the answers.

    It returns ``None`` for an id that the registry does not know, and raises ``Retry`` when the registry
    cannot be asked and ``Reject`` when the id is of a schema that is not plain Avro.

    :raises Stop: no registry URL is set.
    """
    # The caller has its own way of waiting: one question, one answer.
    registry = make_registry(settings, **{"max.retries": 0, "timeout": _SECONDS})

    def fetch(schema_id: int) -> str | None:
        return _ask(registry, schema_id)

    return fetch


def _ask(registry: SchemaRegistryClient, schema_id: int) -> str | None:
    try:
        schema = registry.get_schema(schema_id)
    except SchemaRegistryError as error:
        if error.http_status_code == _NOT_FOUND:
            return None
        raise Retry(f"the registry answers {error.http_status_code} for schema id {schema_id}") from error
    except Exception as error:
        # The client lets whatever its HTTP library raises pass through.
        raise Retry(f"the schema registry cannot be asked: {type(error).__name__}") from error
    if schema.schema_type != "AVRO" or schema.references or schema.schema_str is None:
        raise Reject("unusable_schema", f"schema {schema_id} is not a plain Avro schema")
    return schema.schema_str
