"""Two views of a record: one line without customer text, and complete JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from cli.relative_times import clock
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.errors import InteractionsError
from schemas.incoming_record import IncomingRecord
from schemas.topics import DEAD_LETTERS


def make_decoder(settings: Settings) -> AvroDecoder:
    """A decoder for every schema in the registry; instants stay RFC 3339 text.

    :raises Stop: no registry URL is set.
    """
    from runtime.registry_fetch import make_fetch

    return AvroDecoder(make_fetch(settings), text_instants=True)


class RecordView:
    """Format records.

    :param decoder: decoder of Avro values that returns instants as text.
    """

    def __init__(self, decoder: AvroDecoder) -> None:
        self._decoder = decoder

    def value_of(self, record: IncomingRecord) -> Any:
        """The decoded value; ``None`` for a tombstone, ``{"undecodable": …}`` if not Avro or JSON."""
        value = record.value
        if value is None:
            return None
        if value.startswith(b"\x00"):
            try:
                return self._decoder.decode(value)[1]
            except InteractionsError as error:
                return {"undecodable": str(error), "base64": base64.b64encode(value).decode()}
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return {"undecodable": "neither JSON nor Avro", "base64": base64.b64encode(value).decode()}

    def type_of(self, record: IncomingRecord) -> str | None:
        """The CloudEvents type, from the headers or the structured event."""
        return self._attribute(record, "type")

    def entity_of(self, record: IncomingRecord) -> str | None:
        """The entity id: the CloudEvents attribute, otherwise the record key."""
        key = record.key.decode(errors="replace") if record.key is not None else None
        return self._attribute(record, "entityid") or key

    def to_json(self, record: IncomingRecord) -> dict[str, Any]:
        """Location, key, headers and value; bytes that are not UTF-8 become replacement characters."""
        return {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp_ms,
            "key": record.key.decode(errors="replace") if record.key is not None else None,
            "headers": {
                name: value.decode(errors="replace") if value is not None else None
                for name, value in record.headers
            },
            "value": self.value_of(record),
        }

    def to_line(self, record: IncomingRecord) -> str:
        """One line: time, location, type, entity and key facts. Never a title, body or name."""
        parts = [
            clock(record.timestamp_ms),
            f"{record.partition}:{record.offset}",
            printable(self.type_of(record) or "?").removeprefix("customers."),
            f"entity={printable(self.entity_of(record) or '?')}",
        ]
        if record.topic == DEAD_LETTERS:
            return "  ".join([*parts, *_dead_letter_facts(record)])
        if record.value is None:
            return "  ".join([*parts, "tombstone"])
        value = self.value_of(record)
        return "  ".join([*parts, *_facts(record, value if isinstance(value, Mapping) else {})])

    def _attribute(self, record: IncomingRecord, name: str) -> str | None:
        found = record.header(f"ce_{name}")
        if found is not None:
            return found
        value = record.value or b""
        if not value.startswith(b"{"):
            return None
        event = self.value_of(record)
        attribute = event.get(name) if isinstance(event, dict) else None
        return attribute if isinstance(attribute, str) else None


def printable(text: str) -> str:
    """Untrusted text made safe for a terminal: no control characters, at most 100 characters."""
    return "".join(character if character.isprintable() else "�" for character in text[:100])


def _dead_letter_facts(record: IncomingRecord) -> list[str]:
    names = ("dl_error_class", "dl_topic", "dl_partition", "dl_offset", "dl_attempt")
    return [f"{name[3:]}={printable(record.header(name) or '?')}" for name in names]


def _facts(record: IncomingRecord, value: Mapping[str, Any]) -> list[str]:
    """Key facts of a result, an event or a command."""
    facts: list[str] = []
    outcome = record.header("ce_outcome")
    if outcome is not None:
        problem = value.get("problem")
        code = f" ({problem['code']})" if isinstance(problem, Mapping) else ""
        facts.append(outcome + code)
    names = {
        "interactionId": "interaction",
        "version": "version",
        "entityVersion": "entity-version",
        "reason": "reason",
        "changedFields": "changed",
    }
    for name, shown in names.items():
        member = value.get(name)
        if member not in (None, "", []):
            text = ",".join(map(str, member)) if isinstance(member, list) else str(member)
            facts.append(f"{shown}={printable(text)}")
    command = record.header("ce_causationid") or value.get("id")
    if isinstance(command, str):
        facts.append(f"command={printable(command)}")
    return facts
