"""Registration of the contract's Avro schemas in the schema registry: one subject per topic and record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Final, TypeVar

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError

from runtime.registry import make_registry
from runtime.settings import Settings
from schemas.avro_schemas import RECORDS, avro_schema, render, subject
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
    """Register all schemas of the contract, with compatibility ``FULL_TRANSITIVE`` per subject.

    Idempotent: registered schemas keep their ids. Several processes can call it concurrently.

    :returns: full name → schema id.
    :raises Stop: the registry refuses a schema (incompatible change); the message names the subject.
    :raises Retry: the registry is unavailable.
    """
    registry = make_registry(settings)
    return {fullname: _register(registry, name, schema) for fullname, name, schema in subjects(settings)}


def known_ids(settings: Settings, topics: Collection[str] = tuple(RECORDS)) -> dict[str, int]:
    """Look up the ids of the registered schemas, at the start of a role.

    :param topics: those that the role writes to.

    :returns: full name → schema id.
    :raises Stop: a schema of this version is not registered; the message says how to register it.
    :raises Retry: the registry is unavailable.
    """
    registry = make_registry(settings)
    ids = {}
    for fullname, name, schema in subjects(settings, topics):
        found = _ask(name, partial(registry.lookup_schema, name, schema))
        if found.schema_id is None:
            raise Retry(f"the schema registry returned no id for subject {name}")
        ids[fullname] = found.schema_id
    return ids


def subjects(
    settings: Settings, topics: Collection[str] = tuple(RECORDS)
) -> Iterator[tuple[str, str, Schema]]:
    """Full name, subject and schema of every record of the topics."""
    for topic in topics:
        for fullname in RECORDS[topic]:
            # Same text as Confluent's serializers send: some registries compare texts instead of schemas.
            text = render(avro_schema(fullname)).strip()
            yield fullname, subject(settings.topic(topic), fullname), Schema(text, "AVRO")


def _register(registry: SchemaRegistryClient, name: str, schema: Schema) -> int:
    for _ in range(_ATTEMPTS - 1):
        try:
            _hold_compatible(registry, name)
            return registry.register_schema(name, schema)
        except SchemaRegistryError:
            # Hazard: if another process registers the same subject concurrently, the registry refuses this
            # request ("already exists"). A retry returns the id; a genuine refusal repeats.
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
    # The client does not wrap the exceptions of its HTTP library.
    return Retry(f"the schema registry is unavailable: {type(error).__name__}")


def _explain(name: str, error: SchemaRegistryError) -> Stop | Retry:
    status = error.http_status_code
    if status in (_CONFLICT, _UNPROCESSABLE):
        return Stop(
            f"the schema registry refused the schema of subject {name}: it is invalid, or incompatible with"
            f" the registered versions ({COMPATIBILITY}). Fields can only be added or removed with a default."
            f" Message of the registry: {error.error_message}"
        )
    if status == _NOT_FOUND:
        return Stop(
            f"the schema of subject {name} is not registered in the form that this version writes; register"
            " it with: interactions topics --create"
        )
    if status in _TRANSIENT or status >= _SERVER_ERROR:
        return Retry(f"the schema registry answered {status} for subject {name}")
    return Stop(f"the schema registry answered {status} for subject {name}: {error.error_message}")
