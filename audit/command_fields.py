"""Command fields and their limits: the auditor's own copy of the contract, independent of the decoder."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from unicodedata import category

from audit.instants import EARLIEST, LATEST, micros
from audit.type_code import type_code

UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
LOWER_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")


class InvalidField(ValueError):
    """A field violates the contract; the message names it."""


def read_uuid(value: Any) -> str:
    """Normalize a UUID to lower case."""
    if isinstance(value, str) and UUID.fullmatch(value):
        return value.lower()
    raise InvalidField("not a UUID")


def _text(longest: int, shortest: int = 0) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not shortest <= len(value) <= longest or "\x00" in value:
            raise InvalidField("not text within its length limits")
        return value

    return read


def read_instant(value: Any) -> int:
    """Parse an RFC 3339 text to µs since the epoch."""
    try:
        moment = micros(value) if not isinstance(value, int) else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None or not EARLIEST <= moment < LATEST:
        raise InvalidField("not an instant between 1900 and 2200")
    return moment


def is_attribute_text(value: Any) -> bool:
    """Return whether a value is a valid CloudEvents attribute string (CloudEvents 1.0.2, "String")."""
    return (
        isinstance(value, str)
        and len(value) <= 200
        and value == value.strip()
        and all(category(sign) != "Cc" for sign in value)
    )


def _command_id(value: Any) -> str:
    if value and is_attribute_text(value):
        return str(value)
    raise InvalidField("not a command id")


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise InvalidField("not true or false")


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is int and least <= value <= most:
            return value
        raise InvalidField("not an integer within its limits")

    return read


def _one_of(*names: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise InvalidField("not one of the allowed values")

    return read


def _color(value: Any) -> str:
    if isinstance(value, str) and _COLOR.fullmatch(value):
        return value
    raise InvalidField("not a colour #RRGGBB")


def _type(value: Any) -> str:
    code = type_code(value) if isinstance(value, str) and 0 < len(value) <= 100 else None
    if code is None:
        raise InvalidField("not an interaction type")
    return code


def _feature(value: Any) -> str:
    name = value.replace("_", "-") if isinstance(value, str) and len(value) <= 100 else None
    if name not in FLAGS:
        raise InvalidField("not a feature flag")
    return name


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise InvalidField("not a list of field names")


FLAGS: Final = frozenset(
    f"customers.interactions.{name}" for name in ("unified", "legacy-adapters", "external-sync")
)
_short = _text(100)
_undo_token = _text(1100, 1)
_big = 2**63 - 1
Field = tuple[Callable[[Any], Any], bool]  # parser, nullable

_COMMON: Final[dict[str, Field]] = {
    "entityId": (read_uuid, True),
    "sourceTimestamp": (read_instant, True),
    "validateOnly": (_flag, False),
    "expectedVersion": (_whole(0, _big), True),
    "syncOrigin": (_short, True),
    "_syncOrigin": (_short, True),
}
#: Fields of an interaction that can be edited, each of which can be cleared.
DETAILS: Final[dict[str, Field]] = {
    "title": (_text(500), True),
    "body": (_text(10_000), True),
    "scheduledAt": (read_instant, True),
    "occurredAt": (read_instant, True),
    "priority": (_whole(0, 100), True),
    "dealId": (read_uuid, True),
    "authorUserId": (read_uuid, True),
    "ownerUserId": (read_uuid, True),
    "appearanceIcon": (_short, True),
    "appearanceColor": (_color, True),
}
_STATUS: Final = _one_of("planned", "done", "canceled")
_ID: Final[dict[str, Field]] = {"id": (read_uuid, False)}

FIELDS: Final[dict[str, dict[str, Field]]] = {
    "entity.upsert": {
        **_ID,
        "kind": (_one_of("person", "company"), False),
        "displayName": (_text(300, 1), False),
        "primaryEmail": (_text(320), True),
        "primaryPhone": (_short, True),
        "ownerUserId": (read_uuid, True),
        "clear": (_names, False),
    },
    "deal.upsert": {**_ID, "title": (_text(500), False), "status": (_short, True)},
    "interaction_type.upsert": {
        "interactionType": (_type, False),
        "label": (_text(100, 1), True),
        "icon": (_short, True),
        "color": (_color, True),
        "actionable": (_flag, True),
        "strict": (_flag, True),
    },
    "feature_flag.set": {"flag": (_feature, False), "enabled": (_flag, False)},
    "interaction.create": {
        **DETAILS,
        "id": (read_uuid, True),
        "interactionType": (_type, False),
        "status": (_STATUS, True),
        "source": (_short, True),
        "createdAt": (read_instant, True),
    },
    "interaction.update": {
        **_ID,
        **DETAILS,
        "interactionType": (_type, False),
        "status": (_STATUS, False),
        "clear": (_names, False),
    },
    "interaction.complete": {**_ID, "occurredAt": (read_instant, True)},
    "interaction.cancel": _ID,
    "interaction.reopen": _ID,
    "interaction.delete": _ID,
    "interaction.undo": {"undoToken": (_undo_token, True), "commandId": (_command_id, True)},
    "interaction.recompute_next": {},
    "interaction.mark_due": {
        **_ID,
        "scheduleVersion": (_whole(1, _big), False),
        "phase": (_one_of("due", "overdue"), False),
    },
}
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "entity.upsert": ("id", "kind"),
    "deal.upsert": ("id",),
    "interaction_type.upsert": ("interactionType",),
    "feature_flag.set": ("flag", "enabled"),
    "interaction.create": ("interactionType",),
    "interaction.mark_due": ("id", "scheduleVersion", "phase"),
    **{f"interaction.{verb}": ("id",) for verb in ("update", "complete", "cancel", "reopen", "delete")},
}
CLEARABLE: Final[dict[str, frozenset[str]]] = {
    "entity.upsert": frozenset({"primaryEmail", "primaryPhone", "ownerUserId"}),
    "interaction.update": frozenset(DETAILS),
}


def read_data(kind: str, data: dict[str, Any], *, null_means_absent: bool) -> dict[str, Any]:
    """Validate and normalize the given fields (instants in µs, ids in lower case).

    :param null_means_absent: Avro: ``null`` means not given; JSON: ``null`` clears the field.
    :raises InvalidField: the data violates the contract; the message names the field.
    """
    fields = FIELDS[kind]
    given: dict[str, Any] = {}
    if "_syncOrigin" in data and "syncOrigin" in data:
        raise InvalidField("_syncOrigin and syncOrigin are the same field")
    for name, value in data.items():
        if value is None and null_means_absent:
            continue  # also for fields that only a newer schema version has
        field = fields.get(name) or _COMMON.get(name)
        if field is None:
            raise InvalidField(f"unknown field {name!r}")
        read, nullable = field
        if value is None:
            if not nullable:
                raise InvalidField(f"{name} must not be null")
            given[name] = None
            continue
        try:
            given[name] = read(value)
        except InvalidField as error:
            raise InvalidField(f"{name}: {error}") from None
    for name in REQUIRED.get(kind, ()):
        if name not in given:
            raise InvalidField(f"{name} is required")
    for name in given.pop("clear", ()):
        if name not in CLEARABLE[kind]:
            raise InvalidField(f"{name!r} cannot be cleared")
        given[name] = None
    if kind == "interaction.undo" and (given.get("undoToken") is None) == (given.get("commandId") is None):
        raise InvalidField("exactly one of undoToken and commandId is required")
    return given
