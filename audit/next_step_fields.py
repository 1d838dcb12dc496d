"""Fields and limits of the next step that a completion plans."""

from __future__ import annotations

from typing import Any, Final

from audit.command_fields import DETAILS, FIELDS, Field, InvalidField, read_code
from audit.typed_fields import read_fields

#: Fields of an interaction that a next step may have.
OPTIONAL: Final = (
    "title", "body", "scheduledAt", "priority", "dealId", "authorUserId", "ownerUserId",
    "appearanceIcon", "appearanceColor",
)  # fmt: skip
_NEXT: Final[dict[str, Field]] = {
    "interactionType": (read_code, False),
    **{name: DETAILS[name] for name in OPTIONAL},
}
_COMPLETE: Final = "interaction.complete"


def _read_next(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidField("not an object")
    return read_fields(_NEXT, value, required=("interactionType",), clearable=frozenset())


#: The command with this field.
WITH_NEXT_STEP: Final[dict[str, dict[str, Field]]] = {
    _COMPLETE: {**FIELDS[_COMPLETE], "next": (_read_next, True)}
}
