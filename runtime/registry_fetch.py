"""Fetch Avro schemas from the schema registry by their id."""

from __future__ import annotations

from typing import Final

from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError

from runtime.bounded_call import CallTimeout, within
from runtime.registry import make_registry
from runtime.settings import Settings
from schemas.avro_codec import FetchSchema
from schemas.errors import Reject, Retry

#: Answers about one id, which another request does not change.
_UNKNOWN: Final = frozenset({400, 404, 410, 422})
_OPTIONS: Final = {"max.retries": 0, "timeout": 5.0}
_DEADLINE_SECONDS: Final = 10.0


def make_fetch(settings: Settings, seconds: float = _DEADLINE_SECONDS) -> FetchSchema:
    """Create a function that fetches the text of a schema; the caller caches the results.

    It returns ``None`` for an unknown id. It raises ``Retry`` when the registry is unavailable, and
    ``Reject`` when the schema is not plain Avro.

    :param seconds: deadline of one request.
    :raises Stop: no registry URL is set.
    """
    # No retries here: the caller has its own backoff.
    registry = make_registry(settings, **_OPTIONS)

    def fetch(schema_id: int) -> str | None:
        nonlocal registry
        try:
            # Hazard: the client's timeout applies per socket operation, and a partition waits for this call.
            return within(seconds, f"the request for schema {schema_id}", lambda: _ask(registry, schema_id))
        except CallTimeout:
            registry = make_registry(settings, **_OPTIONS)
            raise

    return fetch


def _ask(registry: SchemaRegistryClient, schema_id: int) -> str | None:
    try:
        schema = registry.get_schema(schema_id)
    except SchemaRegistryError as error:
        if error.http_status_code in _UNKNOWN:
            return None
        raise Retry(
            f"the schema registry answered {error.http_status_code} for schema id {schema_id}"
        ) from error
    except Exception as error:
        # The client does not wrap the exceptions of its HTTP library.
        raise Retry(f"the schema registry is unavailable: {type(error).__name__}") from error
    if not isinstance(schema.schema_str, str):
        raise Retry("the schema registry sent an answer without a schema")
    if schema.schema_type != "AVRO" or schema.references:
        raise Reject("unusable_schema", f"schema {schema_id} is not a plain Avro schema")
    return schema.schema_str
