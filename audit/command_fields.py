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


def text(longest: int, shortest: int = 0) -> Callable[[Any], str]:
    """Make the parser of a text within limits, in characters."""

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


def read_flag(value: Any) -> bool:
    """Parse ``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    raise InvalidField("not true or false")


def whole(least: int, most: int) -> Callable[[Any], int]:
    """Make the parser of an integer within limits."""

    def read(value: Any) -> int:
        if type(value) is int and least <= value <= most:
            return value
        raise InvalidField("not an integer within its limits")

    return read


def one_of(*names: str) -> Callable[[Any], str]:
    """Make the parser of one of some names."""

    def read(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise InvalidField("not one of the allowed values")

    return read


def _color(value: Any) -> str:
    if isinstance(value, str) and _COLOR.fullmatch(value):
        return value
    raise InvalidField("not a colour #RRGGBB")


def read_code(value: Any) -> str:
    """Normalize an interaction type, or the kind of a signal, to its code."""
    code = type_code(value) if isinstance(value, str) and 0 < len(value) <= 100 else None
    if code is None:
        raise InvalidField("not a type")
    return code


def _feature(value: Any) -> str:
    name = value.replace("_", "-") if isinstance(value, str) and len(value) <= 100 else None
    if name not in FLAGS:
        raise InvalidField("not a feature flag")
    return name


def read_names(value: Any) -> tuple[str, ...]:
    """Parse a list of field names."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise InvalidField("not a list of field names")


FLAGS: Final = frozenset(
    f"customers.interactions.{name}" for name in ("unified", "legacy-adapters", "external-sync")
)
_short = text(100)
_undo_token = text(1100, 1)
BIG = 2**63 - 1
Field = tuple[Callable[[Any], Any], bool]  # parser, nullable

#: Fields of an interaction that can be edited, each of which can be cleared.
DETAILS: Final[dict[str, Field]] = {
    "title": (text(500), True),
    "body": (text(10_000), True),
    "feedback": (text(10_000), True),
    "scheduledAt": (read_instant, True),
    "occurredAt": (read_instant, True),
    "priority": (whole(0, 100), True),
    "dealId": (read_uuid, True),
    "authorUserId": (read_uuid, True),
    "ownerUserId": (read_uuid, True),
    "appearanceIcon": (_short, True),
    "appearanceColor": (_color, True),
}
_STATUS: Final = one_of("planned", "done", "canceled")
_ID: Final[dict[str, Field]] = {"id": (read_uuid, False)}

FIELDS: Final[dict[str, dict[str, Field]]] = {
    "entity.upsert": {
        **_ID,
        "kind": (one_of("person", "company"), False),
        "displayName": (text(300, 1), False),
        "primaryEmail": (text(320), True),
        "primaryPhone": (_short, True),
        "ownerUserId": (read_uuid, True),
        "clear": (read_names, False),
    },
    "entity.erase": {**_ID, "mirrors": (one_of("delete", "leave"), False)},
    "deal.upsert": {**_ID, "title": (text(500), False), "status": (_short, True)},
    "interaction_type.upsert": {
        "interactionType": (read_code, False),
        "label": (text(100, 1), True),
        "icon": (_short, True),
        "color": (_color, True),
        "actionable": (read_flag, True),
        "strict": (read_flag, True),
    },
    "feature_flag.set": {"flag": (_feature, False), "enabled": (read_flag, False)},
    "interaction.create": {
        **DETAILS,
        "id": (read_uuid, True),
        "interactionType": (read_code, False),
        "status": (_STATUS, True),
        "source": (_short, True),
        "createdAt": (read_instant, True),
        "updatedAt": (read_instant, True),
    },
    "interaction.update": {
        **_ID,
        **DETAILS,
        "interactionType": (read_code, False),
        "status": (_STATUS, False),
        "clear": (read_names, False),
    },
    "interaction.complete": {
        **_ID,
        "occurredAt": DETAILS["occurredAt"],
        "feedback": DETAILS["feedback"],
    },
    "interaction.cancel": _ID,
    "interaction.reopen": _ID,
    "interaction.delete": _ID,
    "interaction.undo": {"undoToken": (_undo_token, True), "commandId": (_command_id, True)},
    "interaction.recompute_next": {},
    "interaction.mark_due": {
        **_ID,
        "scheduleVersion": (whole(1, BIG), False),
        "phase": (one_of("due", "overdue"), False),
    },
}
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "entity.upsert": ("id", "kind"),
    "entity.erase": ("id",),
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
