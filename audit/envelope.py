"""Parse a record of the commands topic as the contract defines it (CloudEvents 1.0, Kafka binding)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from audit.cloudevent import CloudEvent, DecodeNamed, headers_of, is_binary, read_event
from audit.command_data import COMMANDS, read_data
from audit.command_fields import LOWER_UUID, InvalidField, is_attribute_text, read_instant
from audit.history import Record
from audit.instants import EARLIEST, FIVE_MINUTES, LATEST

_PREFIX: Final = "customers."
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_IDS: Final = ("tenantid", "organizationid", "entityid")
_OPTIONAL: Final = ("subject", "syncorigin", "correlationid", "causationid", "actorid", "traceparent")
_ATTRIBUTES: Final = ("id", "type", "source", "tenantid", "organizationid", "entityid")


@dataclass(slots=True)
class Parsed:
    """A command as parsed by the auditor.

    :param id: command id; ``""`` when it cannot be read.
    :param kind: command type without ``customers.``; ``""`` when unknown.
    :param data: checked fields by their camelCase name; ``None`` when refused.
    :param refusal: reason for which the contract refuses it; ``None`` for a valid command.
    :param undecodable: True: must be a dead letter; False: must not be; ``None``: the contract leaves
        it open, but log, result and dead letter must agree.
    :param actor: user on whose behalf it was sent.
    :param dry_run: the record has ``validateOnly: true``, even if the rest is invalid.
    :param content: hash of the data as sent.
    :param meaning: hash of the data after normalization.
    """

    record: Record
    id: str
    kind: str
    tenant: str
    organization: str
    entity: str
    data: dict[str, Any] | None
    refusal: str | None
    undecodable: bool | None
    content: int = 0
    meaning: int = 0
    expected_version: int | None = None
    actor: str | None = None
    dry_run: bool = False

    @property
    def now(self) -> int:
        """Append time of the record in µs, within the valid range: the clock of every rule."""
        return min(max(self.record.timestamp_ms * 1000, EARLIEST), LATEST - 1000)

    @property
    def made(self) -> int:
        """Time of the change at its source, in µs."""
        given = self.data.get("sourceTimestamp") if self.data else None
        return self.now if given is None else int(given)

    @property
    def validate_only(self) -> bool:
        """Return whether a valid command is a dry run."""
        return bool(self.data and self.data.get("validateOnly"))


def parse(record: Record, decode: DecodeNamed) -> Parsed:
    """Parse one record; never raises on bad input."""
    headers = headers_of(record)
    parsed = Parsed(record, "", "", "", "", "", None, None, True)
    try:
        event = read_event(record, headers, decode)
    except ValueError as error:
        parsed.refusal = str(error) or "cannot be read"
        if is_binary(headers):
            # The attributes are readable but the data is not: undecodable, and its command id stays free.
            _fill(parsed, {name[3:]: value.decode("utf-8", "replace") for name, value in headers.items()})
        return parsed
    attributes, data = event.attributes, event.data
    _fill(parsed, attributes)
    wrong = _wrong_attributes(attributes)
    if wrong:
        parsed.refusal = f"attributes: {', '.join(wrong)}"
        parsed.undecodable = None
    elif not isinstance(data, dict):
        parsed.refusal = "data is not an object"
        parsed.undecodable = None
    elif event.schema is not None and event.schema != _canonical(attributes["type"]):
        parsed.refusal = "the Avro schema is not the type named in the envelope"
    elif parsed.kind not in COMMANDS:
        parsed.refusal = "unknown type"
        parsed.undecodable = False
    else:
        parsed.undecodable = False
        parsed.content = _content_hash(parsed, event)
        parsed.dry_run = data.get("validateOnly") is True or _validate_only_attribute(attributes) is True
        try:
            _check(parsed, event)
        except (InvalidField, UnicodeDecodeError) as error:
            parsed.data, parsed.refusal = None, str(error)
    return parsed


def _check(parsed: Parsed, event: CloudEvent) -> None:
    attributes = event.attributes
    if not parsed.content:
        raise InvalidField("the data is nested too deeply")
    given = read_data(parsed.kind, event.data, null_means_absent=event.schema is not None)
    version, made = attributes.get("expectedversion"), attributes.get("sourcetimestamp")
    rules = (
        (parsed.record.key == parsed.entity.encode(), "the record's key is not the entity id"),
        (given.get("entityId") in (None, parsed.entity), "entityId is not the entity of the envelope"),
        (
            parsed.kind not in ("entity.upsert", "entity.erase") or given["id"] == parsed.entity,
            "id is not the envelope's entity",
        ),
        (
            parsed.kind != "interaction_type.upsert" or parsed.entity == parsed.organization,
            "a type belongs to the organization: entityid must be its id",
        ),
        (
            parsed.kind != "feature_flag.set" or parsed.entity == parsed.tenant,
            "a flag belongs to the tenant: entityid must be its id",
        ),
        (
            "expectedversion" not in attributes
            or given.get("expectedVersion") is not None
            or _WHOLE.fullmatch(str(version)),
            "expectedversion is not an integer",
        ),
        (_validate_only_attribute(attributes) is not None, "validateonly is not true or false"),
    )
    for holds, what in rules:
        if not holds:
            raise InvalidField(what)
    if given.get("sourceTimestamp") is None and "sourcetimestamp" in attributes:
        given["sourceTimestamp"] = read_instant(made)
    if (given.get("sourceTimestamp") or 0) > parsed.now + FIVE_MINUTES:
        raise InvalidField("sourceTimestamp is in the future")
    if _validate_only_attribute(attributes):
        given["validateOnly"] = True
    parsed.data = given
    parsed.expected_version = given.get("expectedVersion")
    if parsed.expected_version is None and version is not None:
        parsed.expected_version = int(version)
    parsed.meaning = hash((parsed.kind, *_scope(parsed), _image(given)))


def _wrong_attributes(attributes: dict[str, Any]) -> list[str]:
    """Names of missing or invalid attributes."""
    wrong = [
        name for name in _ATTRIBUTES if not isinstance(attributes.get(name), str) or not attributes[name]
    ]
    wrong += [
        name
        for name in (*_ATTRIBUTES, *_OPTIONAL)
        if name in attributes and name not in wrong and not is_attribute_text(attributes[name])
    ]
    wrong += [name for name in _IDS if name not in wrong and not LOWER_UUID.fullmatch(attributes[name])]
    if attributes.get("specversion", "1.0") != "1.0":
        wrong.append("specversion")
    return wrong


def _validate_only_attribute(attributes: dict[str, Any]) -> bool | None:
    """Parse the attribute ``validateonly``; ``None`` if it is neither true nor false."""
    value = attributes.get("validateonly", False)
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value)
    return value if isinstance(value, bool) else None


def _scope(parsed: Parsed) -> tuple[str, str, str]:
    return parsed.tenant, parsed.organization, parsed.entity


def _fill(parsed: Parsed, attributes: dict[str, Any]) -> None:
    def text(name: str) -> str:
        value = attributes.get(name)
        return value if isinstance(value, str) else ""

    kind = _canonical(text("type"))
    parsed.id = text("id")
    parsed.kind = kind.removeprefix(_PREFIX) if kind.startswith(_PREFIX) else ""
    parsed.tenant, parsed.organization = text("tenantid"), text("organizationid")
    parsed.entity = text("entityid")
    parsed.actor = text("actorid") if "actorid" in attributes else None


def _canonical(kind: str) -> str:
    """Map the plural type names of old publishers to the current ones."""
    name = kind.removeprefix("customers.interactions.")
    return kind if name == kind else f"customers.interaction.{name}"


def _content_hash(parsed: Parsed, event: CloudEvent) -> int:
    """Hash the data as sent; 0 if it is nested deeper than the limit."""
    made = event.attributes.get("sourcetimestamp")
    # The attribute stands in for the field of the same name when the data does not have it.
    data = (
        event.data
        if event.data.get("sourceTimestamp") is not None
        else {**event.data, "sourceTimestamp": made}
    )
    try:
        return hash((parsed.kind, *_scope(parsed), _image(data if made is not None else event.data)))
    except TypeError:
        return 0


def _image(data: Any) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS, default=str)
