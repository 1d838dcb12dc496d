"""Data of a command: validated and normalized as the contract of its type demands."""

from __future__ import annotations

from typing import Any, Final

from audit import command_fields
from audit.command_fields import BIG, Field, InvalidField, read_flag, read_instant, read_uuid, text, whole
from audit.next_step_fields import WITH_NEXT_STEP
from audit.signals import fields
from audit.typed_fields import read_fields

_ORIGIN: Final = text(100)
_COMMON: Final[dict[str, Field]] = {
    "entityId": (read_uuid, True),
    "sourceTimestamp": (read_instant, True),
    "validateOnly": (read_flag, False),
    "expectedVersion": (whole(0, BIG), True),
    "syncOrigin": (_ORIGIN, True),
    "_syncOrigin": (_ORIGIN, True),
}
#: Command type without ``customers.`` → its fields.
COMMANDS: Final[dict[str, dict[str, Field]]] = {
    kind: {**_COMMON, **own}
    for kind, own in (
        *command_fields.FIELDS.items(),
        *WITH_NEXT_STEP.items(),
        *fields.FIELDS.items(),
    )
}
_REQUIRED: Final = {**command_fields.REQUIRED, **fields.REQUIRED}
_CLEARABLE: Final = {**command_fields.CLEARABLE, **fields.CLEARABLE}
_NONE: Final[frozenset[str]] = frozenset()


def read_data(kind: str, data: dict[str, Any], *, null_means_absent: bool) -> dict[str, Any]:
    """Validate and normalize the given fields (instants in µs, ids in lower case).

    :param null_means_absent: Avro: ``null`` means not given; JSON: ``null`` clears the field.
    :raises InvalidField: the data violates the contract; the message names the field.
    """
    if "_syncOrigin" in data and "syncOrigin" in data:
        raise InvalidField("_syncOrigin and syncOrigin are the same field")
    given = read_fields(
        COMMANDS[kind],
        # Also fields that only a newer schema version has.
        _without_nulls(data) if null_means_absent else data,
        required=_REQUIRED.get(kind, ()),
        clearable=_CLEARABLE.get(kind, _NONE),
    )
    if kind == "interaction.undo" and (given.get("undoToken") is None) == (given.get("commandId") is None):
        raise InvalidField("exactly one of undoToken and commandId is required")
    return given


def _without_nulls(members: dict[str, Any]) -> dict[str, Any]:
    """Drop nulls, also in the objects of a list and in an object."""
    return {name: _inside(value) for name, value in members.items() if value is not None}


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return _without_nulls(value)
    if isinstance(value, list):
        return [_without_nulls(item) if isinstance(item, dict) else item for item in value]
    return value
