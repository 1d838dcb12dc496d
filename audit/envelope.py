"""A record of the commands topic, read by the contract's words (CloudEvents 1.0, Kafka binding)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from audit.contract import FIELDS, LOWER_UUID, Wrong, read_data, read_instant
from audit.history import Rec

#: Bytes of a value and of a key, uncompressed, that a record of the commands topic may have.
MOST_VALUE: Final = 4 * 1024 * 1024
MOST_KEY: Final = 64 * 1024
_PREFIX: Final = "customers."
_CONTENT_TYPE: Final = "content-type"
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_IDS: Final = ("tenantid", "organizationid", "entityid")
_OPTIONAL: Final = ("subject", "syncorigin", "correlationid", "causationid", "actorid", "traceparent")
_ATTRIBUTES: Final = ("id", "type", "source", "tenantid", "organizationid", "entityid")


@dataclass(slots=True)
class Parsed:
    """A command as the auditor understands it.

    :param id: command id; ``""`` when it cannot be read.
    :param kind: command type without ``customers.``; ``""`` when unknown.
    :param data: checked fields by their camelCase name; ``None`` when refused.
    :param refusal: why the contract refuses it; ``None`` for a valid command.
    :param undecodable: True: must be a dead letter; False: must not be; ``None``: the contract does
        not say which, but it must be one thing or the other consistently.
    :param asks: the data say ``validateOnly: true``, whether or not the rest is valid.
    :param content: stands for the data as sent; ``meaning``: for the data as understood.
    """

    record: Rec
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
    asks: bool = False

    @property
    def now(self) -> int:
        """The record's append time in µs: the clock of every rule."""
        return self.record.timestamp_ms * 1000

    @property
    def made(self) -> int:
        """When its source made the change, in µs."""
        given = self.data.get("sourceTimestamp") if self.data else None
        return self.now if given is None else int(given)

    @property
    def validate_only(self) -> bool:
        """Whether it only asks what would happen."""
        return bool(self.data and self.data.get("validateOnly"))


def parse(record: Rec, decode: Callable[[bytes], Any]) -> Parsed:
    """Read one record; never raises on bad input."""
    headers = {
        _CONTENT_TYPE if name.lower() == _CONTENT_TYPE else name: value
        for name, value in record.headers
        if value is not None
    }
    parsed = Parsed(record, "", "", "", "", "", None, None, True)
    binary = _is_binary(headers)
    try:
        attributes, data, avro = _read(record, headers, decode, binary)
    except ValueError as error:
        parsed.refusal = str(error) or "cannot be read"
        if binary:
            # The attributes are readable, the data are not: undecodable, its own id stays free.
            _fill(parsed, {name[3:]: value.decode("utf-8", "replace") for name, value in headers.items()})
        return parsed
    _fill(parsed, attributes)
    wrong = _wrong_attributes(attributes)
    if wrong:
        parsed.refusal = f"attributes: {', '.join(wrong)}"
        parsed.undecodable = None
    elif not isinstance(data, dict):
        parsed.refusal = "data is not an object"
        parsed.undecodable = None
    elif parsed.kind not in FIELDS:
        parsed.refusal = "unknown type"
        parsed.undecodable = None if avro else False
    else:
        parsed.undecodable = False
        parsed.content = _told(parsed, data)
        parsed.asks = data.get("validateOnly") is True or _says_yes(attributes)
        try:
            _check(parsed, data, attributes, avro)
        except (Wrong, UnicodeDecodeError) as error:
            parsed.data, parsed.refusal = None, str(error)
            if avro:
                # The writer's schema may be of another type: then it is not decodable as this one.
                parsed.undecodable = None
    return parsed


def _check(parsed: Parsed, data: dict[str, Any], attributes: dict[str, Any], avro: bool) -> None:
    if not parsed.content:
        raise Wrong("the data are nested too deep")
    given = read_data(parsed.kind, data, null_means_absent=avro)
    version, made = attributes.get("expectedversion"), attributes.get("sourcetimestamp")
    rules = (
        (parsed.record.key == parsed.entity.encode(), "the record's key is not the entity id"),
        (given.get("entityId") in (None, parsed.entity), "entityId is not the entity of the envelope"),
        (parsed.kind != "entity.upsert" or given["id"] == parsed.entity, "id is not the envelope's entity"),
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
            "expectedversion is not a whole number",
        ),
    )
    for holds, what in rules:
        if not holds:
            raise Wrong(what)
    if given.get("sourceTimestamp") is None and "sourcetimestamp" in attributes:
        given["sourceTimestamp"] = read_instant(made)
    if _says_yes(attributes):
        given["validateOnly"] = True
    parsed.data = given
    parsed.expected_version = given.get("expectedVersion")
    if parsed.expected_version is None and version is not None:
        parsed.expected_version = int(version)
    parsed.meaning = hash((parsed.kind, *_scope(parsed), _image(given)))


def _is_binary(headers: dict[str, bytes]) -> bool:
    structured = headers.get(_CONTENT_TYPE, b"").lower().startswith(b"application/cloudevents")
    return not structured and ("ce_type" in headers or "ce_id" in headers)


def _wrong_attributes(attributes: dict[str, Any]) -> list[str]:
    """Names of the attributes that are missing or that no envelope may have."""
    wrong = [
        name for name in _ATTRIBUTES if not isinstance(attributes.get(name), str) or not attributes[name]
    ]
    wrong += [name for name in _IDS if name not in wrong and not LOWER_UUID.fullmatch(attributes[name])]
    wrong += [
        name
        for name in ("id", "type", "source", *_OPTIONAL)
        if name in attributes and name not in wrong and not _is_short_text(attributes[name])
    ]
    version = attributes.get("specversion", "1.0")
    if not isinstance(version, str) or not version.startswith("1."):
        wrong.append("specversion")
    return wrong


def _is_short_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 200 and "\x00" not in value


def _says_yes(attributes: dict[str, Any]) -> bool:
    return str(attributes.get("validateonly")).lower() == "true"


def _scope(parsed: Parsed) -> tuple[str, str, str]:
    return parsed.tenant, parsed.organization, parsed.entity


def _read(
    record: Rec, headers: dict[str, bytes], decode: Callable[[bytes], Any], binary: bool
) -> tuple[dict[str, Any], Any, bool]:
    value = record.value
    if not record.readable:
        raise ValueError("the name of a header is not UTF-8")
    if len(value or b"") > MOST_VALUE or len(record.key or b"") > MOST_KEY:
        raise ValueError("larger than a command may be")
    if value is None:
        raise ValueError("no value")
    from_headers = {
        name.removeprefix("ce_"): text.decode()
        for name, text in headers.items()
        if name.startswith("ce_") or name == "traceparent"
    }
    headers.get(_CONTENT_TYPE, b"").decode()  # who cannot say what it is has sent nothing
    if not binary:
        event = orjson.loads(value)
        if not isinstance(event, dict):
            raise ValueError("not a CloudEvent")
        return {**from_headers, **event}, event.get("data", {}), False
    if value[:1] == b"\x00":
        return from_headers, decode(value), True
    data = orjson.loads(value)
    if not isinstance(data, dict):
        raise ValueError("the value is not an object")
    return from_headers, data, False


def _fill(parsed: Parsed, attributes: dict[str, Any]) -> None:
    def text(name: str) -> str:
        value = attributes.get(name)
        return value if isinstance(value, str) else ""

    kind = text("type")
    if kind.startswith("customers.interactions."):
        kind = "customers.interaction." + kind.removeprefix("customers.interactions.")
    parsed.id = text("id")
    parsed.kind = kind.removeprefix(_PREFIX) if kind.startswith(_PREFIX) else ""
    parsed.tenant, parsed.organization = text("tenantid"), text("organizationid")
    parsed.entity = text("entityid")


def _told(parsed: Parsed, data: Any) -> int:
    """Stands for the data as sent; 0: they are nested deeper than a command may be."""
    try:
        return hash((parsed.kind, *_scope(parsed), _image(data)))
    except TypeError:
        return 0


def _image(data: Any) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS, default=str)
