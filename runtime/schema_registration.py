"""The contract's Avro schemas in the registry: a subject for each record on each topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, TypeVar

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError

from runtime.registry import make_registry
from runtime.settings import Settings
from schemas.avro_schemas import RECORDS, avro_schemas, render, subject
from schemas.errors import Retry, Stop

COMPATIBILITY: Final = "FULL_TRANSITIVE"
_ATTEMPTS: Final = 4
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_UNPROCESSABLE: Final = 422
_SERVER_ERROR: Final = 500
#: No status at all, request timeout, too many requests.
_TRANSIENT: Final = (-1, 408, 429)
_Answer = TypeVar("_Answer")


def register_schemas(settings: Settings) -> dict[str, int]:
    """Register every schema of the contract and hold its subject to ``FULL_TRANSITIVE``.

    Idempotent: what is registered keeps its id. Several processes may call it at once.

    :returns: full name → schema id.
    :raises Stop: the registry refuses a schema (an incompatible change); names the subject.
    :raises Retry: the registry cannot be reached.
    """
    registry = make_registry(settings)
    return {fullname: _register(registry, name, schema) for fullname, name, schema in _subjects(settings)}


def known_ids(settings: Settings) -> dict[str, int]:
    """Full name → schema id of schemas that were registered before, for the start of a role.

    :raises Stop: one is not registered as this version writes it; says how to register.
    :raises Retry: the registry cannot be reached.
    """
    registry = make_registry(settings)
    ids = {}
    for fullname, name, schema in _subjects(settings):
        found = _ask(name, partial(registry.lookup_schema, name, schema))
        if found.schema_id is None:
            raise Retry(f"the registry gave no id for the subject {name}")
        ids[fullname] = found.schema_id
    return ids


def _subjects(settings: Settings) -> Iterator[tuple[str, str, Schema]]:
    schemas = avro_schemas()
    for topic, records in RECORDS.items():
        for fullname in records:
            # As Confluent's serializers send a golden file: some registries compare texts, not schemas.
            text = render(schemas[fullname]).strip()
            yield fullname, subject(settings.topic(topic), fullname), Schema(text, "AVRO")


def _register(registry: SchemaRegistryClient, name: str, schema: Schema) -> int:
    for _ in range(_ATTEMPTS - 1):
        try:
            _hold_compatible(registry, name)
            return registry.register_schema(name, schema)
        except SchemaRegistryError:
            # Hazard: a process that registers the same subject at this moment makes the registry refuse
            # ours ("already exists"); asked again it gives the id. A true refusal comes again, too.
            continue
        except Exception as error:
            raise _unreachable(error) from error
    _ask(name, partial(_hold_compatible, registry, name))
    return _ask(name, partial(registry.register_schema, name, schema))


def _hold_compatible(registry: SchemaRegistryClient, name: str) -> None:
    try:
        level = registry.get_compatibility(name)
    except SchemaRegistryError as error:
        if error.http_status_code != _NOT_FOUND:
            raise
        level = None
    if level != COMPATIBILITY:
        registry.set_compatibility(name, COMPATIBILITY)


def _ask(name: str, question: Callable[[], _Answer]) -> _Answer:
    try:
        return question()
    except SchemaRegistryError as error:
        raise _explain(name, error) from error
    except Exception as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> Retry:
    # The client lets whatever its HTTP library raises pass through.
    return Retry(f"the schema registry cannot be asked: {type(error).__name__}")


def _explain(name: str, error: SchemaRegistryError) -> Stop | Retry:
    status = error.http_status_code
    if status in (_CONFLICT, _UNPROCESSABLE):
        return Stop(
            f"the registry refuses the schema of the subject {name}: it is not compatible with the versions"
            f" registered before ({COMPATIBILITY}), or not valid. Fields may only be added or removed with"
            f" a default. The registry says: {error.error_message}"
        )
    if status == _NOT_FOUND:
        return Stop(
            f"the schema of the subject {name} is not registered as this version writes it; register it"
            " with: interactions topics --create"
        )
    if status in _TRANSIENT or status >= _SERVER_ERROR:
        return Retry(f"the registry answers {status} for the subject {name}")
    return Stop(f"the registry answers {status} for the subject {name}: {error.error_message}")
