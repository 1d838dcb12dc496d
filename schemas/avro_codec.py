"""Avro in the Confluent wire format: a zero byte, a four-byte schema id, the body."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from io import BytesIO
from typing import Any, Final

import fastavro
import orjson

from schemas.avro_bounds import UnusableSchemaError, bounded_schema
from schemas.avro_schemas import avro_schema
from schemas.avro_writer import Writer
from schemas.errors import Reject, Stop
from schemas.instants import format_instant

#: ``id -> text of the Avro schema``, ``None`` for an id unknown to the registry. Raises ``Retry`` when the
#: registry is unavailable, ``Reject`` when the id belongs to a schema that is not Avro.
FetchSchema = Callable[[int], str | None]

#: ``(full name, value in its JSON form) -> bytes``; see :meth:`AvroEncoder.encode`.
Encode = Callable[[str, dict[str, Any]], bytes]

HEADER_SIZE: Final = 5
#: Seconds for which an unknown id is cached.
UNKNOWN_SECONDS: Final = 5.0
_MAX_UNKNOWN: Final = 10_000


class AvroEncoder:
    """Encoder for the records of the contract.

    :param ids: full name → schema id in the registry.
    """

    def __init__(self, ids: Mapping[str, int]) -> None:
        self._writers = {
            fullname: (Writer(fullname, avro_schema(fullname)), b"\x00" + schema_id.to_bytes(4, "big"))
            for fullname, schema_id in ids.items()
        }

    def encode(self, fullname: str, value: dict[str, Any]) -> bytes:
        """Encode a value in its JSON form: camelCase names, instants as RFC 3339 text.

        :raises Stop: the name is not registered, or the value does not match its schema (a programming
            error); the message names the field without its content.
        """
        try:
            writer, prefix = self._writers[fullname]
        except KeyError:
            raise Stop(f"{fullname} has no schema id; register the schemas first") from None
        try:
            return writer.write(value, prefix)
        except Exception as error:  # noqa: BLE001 - any failure means that the value does not match
            raise writer.explain(error) from None


class AvroDecoder:
    """Decoder for values of any registered schema, using the writer's schema.

    Hostile bytes and schemas result in ``Reject``: see ``schemas.avro_bounds``.

    :param text_instants: return instants as RFC 3339 text (the JSON form of events) instead of datetimes.
    """

    def __init__(self, fetch: FetchSchema, *, text_instants: bool = False) -> None:
        self._fetch = fetch
        self._text_instants = text_instants
        self._known: dict[int, tuple[str, Any] | Reject] = {}
        self._unknown: dict[int, float] = {}

    def decode(self, value: bytes) -> tuple[str, dict[str, Any]]:
        """Decode a value.

        :returns: the full name of the record, and its members.
        :raises Reject: ``undecodable``, ``unknown_schema_id`` or ``unusable_schema``.
        :raises Retry: the registry is unavailable.
        """
        if len(value) < HEADER_SIZE or value[0] != 0:
            raise Reject(
                "undecodable", "the value is not in the Confluent wire format (0x00, schema id, body)"
            )
        schema_id = int.from_bytes(value[1:HEADER_SIZE], "big")
        found = self._known.get(schema_id) or self._learn(schema_id)
        if isinstance(found, Reject):
            raise Reject(found.code, found.detail)
        fullname, schema = found
        body = BytesIO(value)
        body.seek(HEADER_SIZE)
        try:
            members: Any = fastavro.schemaless_reader(body, schema, None)
        except Exception:  # noqa: BLE001 - the reader raises many types on hostile bytes
            raise Reject("undecodable", f"the bytes do not match schema {schema_id} ({fullname})") from None
        if body.tell() != len(value):
            raise Reject(
                "undecodable", f"the value is longer than a record of schema {schema_id} ({fullname})"
            )
        return fullname, _with_text_instants(members) if self._text_instants else members

    def decode_command(self, value: bytes) -> tuple[str, dict[str, Any]]:
        """Decode a command: as ``decode``, without null members, because null means "not given" there."""
        fullname, members = self.decode(value)
        return fullname, _without_nulls(members)

    def _learn(self, schema_id: int) -> tuple[str, Any] | Reject:
        now = time.monotonic()
        unknown = Reject("unknown_schema_id", f"the schema registry has no schema with id {schema_id}")
        if self._unknown.get(schema_id, 0.0) > now:
            return unknown
        try:
            text = self._fetch(schema_id)
        except Reject as rejection:
            self._known[schema_id] = rejection.without_traceback()
            return rejection
        if text is None:
            if len(self._unknown) >= _MAX_UNKNOWN:
                self._unknown.clear()
            self._unknown[schema_id] = now + UNKNOWN_SECONDS
            return unknown
        self._known[schema_id] = found = _usable(schema_id, text)
        return found


def _usable(schema_id: int, text: str) -> tuple[str, Any] | Reject:
    try:
        fullname, clean = bounded_schema(orjson.loads(text))
        return fullname, fastavro.parse_schema(clean, named_schemas={})
    except Exception as error:  # noqa: BLE001 - as above: the schema may be hostile
        reason = str(error) if isinstance(error, UnusableSchemaError) else type(error).__name__
        return Reject("unusable_schema", f"schema {schema_id} cannot be used for decoding: {reason}")


def _without_nulls(members: dict[str, Any]) -> dict[str, Any]:
    return {name: _without_nulls_inside(member) for name, member in members.items() if member is not None}


def _without_nulls_inside(member: Any) -> Any:
    if isinstance(member, dict):
        return _without_nulls(member)
    if isinstance(member, list):
        return [_without_nulls(item) if isinstance(item, dict) else item for item in member]
    return member


def _with_text_instants(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_text_instants(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_text_instants(item) for item in value]
    return format_instant(value) if isinstance(value, datetime) else value
