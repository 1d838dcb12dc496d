"""Fields and limits of the commands on signals and drafts, and of ``interaction.fix``."""

from __future__ import annotations

from typing import Any, Final

from audit import command_fields
from audit.command_fields import (
    BIG,
    Field,
    InvalidField,
    one_of,
    read_code,
    read_instant,
    read_names,
    read_uuid,
    text,
    whole,
)
from audit.typed_fields import read_fields

_MOST: Final = 100
_ID: Final[dict[str, Field]] = {"id": (read_uuid, False)}
_TITLE: Final = text(500)
_SHORT: Final = text(100)
_LABEL: Final = text(100, 1)
_BODY: Final = text(10_000, 1)
_VERSION: Final = whole(1, BIG)
#: Fields of a signal that people edit.
_EDITED: Final[dict[str, Field]] = {
    "kind": (read_code, False),
    "title": (text(500, 1), False),
    "body": (text(10_000), True),
    "personId": (read_uuid, True),
    "confidence": (whole(0, 100), True),
}
_CLEARED: Final = frozenset({"body", "personId", "confidence"})
_UPDATE: Final[dict[str, Field]] = {**_ID, **_EDITED, "clear": (read_names, False)}


def _read_signals(value: Any) -> tuple[dict[str, Any], ...]:
    """Parse the changes of signals within a fix."""
    if not isinstance(value, list) or len(value) > _MOST:
        raise InvalidField(f"not a list of at most {_MOST} signals")
    return tuple(_read_signal(item) for item in value)


def _read_signal(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidField("not an object")
    return read_fields(_UPDATE, value, required=("id",), clearable=_CLEARED)


FIELDS: Final[dict[str, dict[str, Field]]] = {
    "interaction.fix": {**command_fields.FIELDS["interaction.update"], "signals": (_read_signals, False)},
    "signal.record": {
        **_EDITED,
        "id": (read_uuid, True),
        "interactionId": (read_uuid, False),
        "detectedAt": (read_instant, True),
    },
    "signal.update": _UPDATE,
    "signal.resolve": {
        **_ID,
        "channel": (one_of("text", "email", "call"), False),
        "instruction": (text(1000), True),
        "language": (one_of("en", "de"), False),
    },
    "signal.attach_draft": {
        **_ID,
        "resolution": (_VERSION, False),
        "subject": (_TITLE, True),
        "body": (_BODY, False),
        "writer": (_LABEL, False),
        "templateId": (_SHORT, True),
        "model": (_SHORT, True),
        "promptHash": (_SHORT, True),
    },
    "signal.fail_draft": {
        **_ID,
        "resolution": (_VERSION, False),
        "code": (_LABEL, False),
        "detail": (_TITLE, True),
    },
    "signal.skip": {**_ID, "reason": (_TITLE, True)},
    "signal.reopen": _ID,
    "draft.update": {**_ID, "subject": (_TITLE, True), "body": (_BODY, False), "clear": (read_names, False)},
    "draft.mark_sent": {**_ID, "sentAt": (read_instant, True)},
    "draft.delete": _ID,
    "draft.restore": _ID,
}
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(FIELDS, ("id",)),
    "signal.record": ("interactionId", "kind", "title"),
    "signal.resolve": ("id", "channel"),
    "signal.attach_draft": ("id", "resolution", "body", "writer"),
    "signal.fail_draft": ("id", "resolution", "code"),
}
CLEARABLE: Final[dict[str, frozenset[str]]] = {
    "interaction.fix": command_fields.CLEARABLE["interaction.update"],
    "signal.update": _CLEARED,
    "draft.update": frozenset({"subject"}),
}
