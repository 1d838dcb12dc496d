"""A conflict of an edit with a change that was stored in the meantime, field by field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.queries.scope import Row
from schemas.errors import Reject
from schemas.events import SNAPSHOT
from web.dictionary import Types
from web.viewer import Viewer

#: Prefix of the fields with the decisions ``mine`` or ``theirs``; ``seen`` is the version they are about.
CHOICE: Final = "choose-"
SEEN: Final = "seen"
_INSTANTS: Final = frozenset({"scheduledAt", "occurredAt"})


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """One field, as people read it; ``None`` is empty.

    :param chosen: the decision that the form carried, if it was made before.
    """

    name: str
    mine: str | None
    theirs: str | None
    chosen: str | None = None


class EditConflict(Reject):
    """The row changed after the form was shown. Nothing was stored.

    :param version: of the row that the person decides about.
    :param fields: both sides changed them, to different values.
    :param others: only the other side changed them; they stay as they are.
    """

    def __init__(
        self, version: int, fields: tuple[FieldConflict, ...], others: tuple[FieldConflict, ...]
    ) -> None:
        super().__init__("version_conflict", "The interaction was changed in the meantime.", status=409)
        self.version = version
        self.fields = fields
        self.others = others


def conflict_of(
    viewer: Viewer, types: Types, row: Row, names: list[str], text: Callable[[str], str | None]
) -> EditConflict:
    """Compare what the form showed, what the person typed, and what is stored.

    :param names: the fields of the form.
    :param text: the form's text of a field: ``title`` as typed, ``was-title`` as it was shown.
    """
    fields: list[FieldConflict] = []
    others: list[FieldConflict] = []
    for name in names:
        was, mine, theirs = text(f"was-{name}"), text(name), stored_text(viewer, row, name)
        if theirs in (was, mine):
            continue
        found = FieldConflict(
            name,
            _words(viewer, types, name, mine),
            _words(viewer, types, name, theirs),
            text(CHOICE + name),
        )
        (others if mine == was else fields).append(found)
    return EditConflict(row["version"], tuple(fields), tuple(others))


def stored_text(viewer: Viewer, row: Row, name: str) -> str | None:
    """The stored value as the form shows it."""
    value = row[SNAPSHOT[name]]
    if name in _INSTANTS:
        return value.astimezone(viewer.zone).strftime("%Y-%m-%dT%H:%M") if value is not None else None
    # As browsers send it.
    text = str(value if value is not None else "").replace("\r\n", "\n").replace("\r", "\n").strip()
    return text or None


def _words(viewer: Viewer, types: Types, name: str, text: str | None) -> str | None:
    if text is None:
        return None
    if name == "interactionType":
        return types.label(text)
    if name in _INSTANTS:
        try:
            local = datetime.fromisoformat(text)
        except ValueError:
            return text
        return viewer.language.moment(local.replace(tzinfo=viewer.zone), viewer.zone)
    return text
