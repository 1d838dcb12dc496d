"""Reads the pages of a poll as far as they move on; a provider cannot keep a poll going for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connectors.sdk.remote import ChangePage, RemoteChange
from connectors.sync.session import Session
from schemas.errors import InteractionsError, NeedsAuth, Retry, Stop

_MOST_CHANGES: Final = 50_000
_MOST_PAGES: Final = 100


@dataclass(frozen=True, slots=True)
class Pages:
    """The changes since a cursor, and the cursor after them.

    :param ended: the provider has no more changes.
    :param stopped: why reading stopped early; to be raised once the changes and the cursor are safe.
    """

    changes: list[RemoteChange]
    cursor: str
    ended: bool
    stopped: InteractionsError | None = None


def read_pages(session: Session, cursor: str | None, take: Callable[[ChangePage], None]) -> Pages:
    """Read page after page until there are no more, or a later poll must go on.

    :param take: called with each page as it arrives.
    :raises InteractionsError: what the provider raised at the first page.
    :raises Retry: the provider announces more and shows nothing new (RFC 6578 section 3.6 gone wrong).
    """
    changes: list[RemoteChange] = []
    seen: set[str | None] = {cursor}
    stopped: InteractionsError | None = None
    ended = False
    for number in range(_MOST_PAGES):
        try:
            page = session.provider.changes(cursor)
        except (NeedsAuth, Stop):
            raise
        except InteractionsError as error:
            # The pages before this one are not read again: a slow listing gets through in several polls.
            if cursor is None or number == 0:
                raise
            stopped = error
            break
        take(page)
        changes += page.changes
        cursor, ended = page.cursor, not page.more
        if not page.more or len(changes) >= _MOST_CHANGES:
            break
        if _is_known(cursor, seen):
            stopped = _no_progress(session)
            break
        seen.add(cursor)
    else:
        stopped = None if changes else _no_progress(session)
    assert cursor is not None
    if stopped is not None and not changes and len(seen) == 1:
        raise stopped
    return Pages(changes, cursor, ended, stopped)


def _is_known(cursor: str, seen: set[str | None]) -> bool:
    """Return whether a cursor was asked for before: the next page would be one that was read."""
    return cursor in seen


def _no_progress(session: Session) -> Retry:
    return Retry(
        f"{session.declaration.title} announces more changes, but its pages do not move on;"
        " the poll is tried again later"
    )
