"""Validation of an object by the parsers of its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from audit.command_fields import Field, InvalidField


def read_fields(
    fields: Mapping[str, Field], data: Mapping[str, Any], *, required: Iterable[str], clearable: Set[str]
) -> dict[str, Any]:
    """Validate and normalize the given fields; those that ``clear`` lists become ``None``.

    :raises InvalidField: the object violates the contract; the message names the field.
    """
    given: dict[str, Any] = {}
    for name, value in data.items():
        field = fields.get(name)
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
    for name in required:
        if name not in given:
            raise InvalidField(f"{name} is required")
    for name in given.pop("clear", ()):
        if name not in clearable:
            raise InvalidField(f"{name!r} cannot be cleared")
        given[name] = None
    return given
