"""Read the pages of a poll within bounds, as long as the cursor advances."""

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
    """Changes since a cursor, and the cursor after them.

    :param ended: the provider has no more changes.
    :param stopped: error that ended reading early; raise it once the changes and the cursor are committed.
    """

    changes: list[RemoteChange]
    cursor: str
    ended: bool
    stopped: InteractionsError | None = None


def read_pages(session: Session, cursor: str | None, take: Callable[[ChangePage], None]) -> Pages:
    """Read pages until there are no more, or until a later poll has to continue.

    :param take: called with each page as it arrives.
    :raises InteractionsError: raised by the provider for the first page.
    :raises Retry: the provider announces more changes, but its cursor is stuck (RFC 6578 section 3.6).
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
            # Keep the pages read so far: a slow listing completes over several polls.
            if cursor is None or number == 0:
                raise
            stopped = error
            break
        take(page)
        changes += page.changes
        cursor, ended = page.cursor, not page.more
        if not page.more or len(changes) >= _MOST_CHANGES:
            break
        if is_known(cursor, seen):
            stopped = no_progress(session)
            break
        seen.add(cursor)
    else:
        stopped = None if changes else no_progress(session)
    assert cursor is not None
    if stopped is not None and not changes and len(seen) == 1:
        raise stopped
    return Pages(changes, cursor, ended, stopped)


def is_known(cursor: str, seen: set[str | None]) -> bool:
    """Report whether the cursor was used before, so that the next page would repeat an earlier one."""
    return cursor in seen


def no_progress(session: Session) -> Retry:
    """Error of a provider whose cursor does not advance (RFC 6578 section 3.6)."""
    return Retry(
        f"{session.declaration.title} announces more changes, but its cursor does not advance;"
        " the poll will be retried"
    )
