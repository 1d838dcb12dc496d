"""Undo: what an entry keeps of the row before its command, and the token that names the command."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Final

from msgspec import Struct, convert

from domain.journal import JournalEntry, OldFacts
from domain.model import Interaction

_PREFIX: Final = "u."


class UndoImage(Struct, frozen=True, kw_only=True):
    """The facts from which a command can be undone.

    :param before: the row to restore, ``None`` if there was none.
    :param after_version: the version that the command left, ``None`` if it left no row.
    :param last_version: the highest version assigned so far.
    :param created_at: that of the row it left, to distinguish it from a later row with the same id.
    """

    before: Interaction | None
    after_version: int | None
    last_version: int
    created_at: datetime | None


def undo_image(entry: JournalEntry) -> UndoImage | None:
    """Return the image of an entry; ``None`` when its command cannot be undone."""
    facts = entry.facts
    if isinstance(facts, OldFacts):
        return convert(facts.undo, UndoImage) if facts.undo is not None else None
    if not facts.undoable:
        return None
    assert facts.version is not None
    after = facts.after
    return UndoImage(
        before=facts.before,
        after_version=facts.version if after is not None else None,
        last_version=facts.version,
        created_at=after.created_at if after is not None else None,
    )


def undo_token(command_id: str) -> str:
    """Undo token of a command: its id in unpadded URL-safe base64 (RFC 4648 section 5)."""
    return _PREFIX + urlsafe_b64encode(command_id.encode()).decode().rstrip("=")


def command_id_of(token: str) -> str | None:
    """Command id of an undo token, or ``None`` when the token is invalid."""
    if not token.startswith(_PREFIX):
        return None
    text = token.removeprefix(_PREFIX)
    try:
        command_id = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return None
    # Decoding ignores characters outside the alphabet, so only the canonical form of a token is accepted.
    # Hazard: no command id contains NUL, and Postgres fails the whole batch whose query contains one.
    return command_id if undo_token(command_id) == token and "\x00" not in command_id else None
