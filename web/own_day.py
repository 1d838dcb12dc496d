"""The viewer's own day: tasks that are due or overdue, and those of them that were done today.

The counts use the filters of the lists that they open (``web.routes.tasks``), and so the same statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import Request

from api.queries.scope import Connection
from api.queries.task_list import task_counts
from api.services import services_of
from schemas.errors import Retry
from sinks.task_filter import Range, TaskFilters
from web.day import Days, days_of
from web.dictionary import Types, types_of
from web.session import session_of
from web.viewer import DUE_COUNT, Viewer, owner_id, zone_of

#: Groups of the work list beside the days: overdue and today's tasks together, and tasks done today.
DUE: Final = "due"
DONE: Final = "done"


@dataclass(frozen=True, slots=True)
class OwnDay:
    """Of the viewer's tasks that are planned for today or earlier: open ones, and those done today."""

    open: int
    done: int


def until_tonight(days: Days) -> Range:
    """Planned for today or earlier."""
    return None, days.tomorrow


async def own_day(connection: Connection, viewer: Viewer, types: Types) -> OwnDay | None:
    """Count the viewer's day; ``None`` without a count of what is due, as in the frame of the page."""
    if viewer.due is None:
        return None
    done = TaskFilters(
        interaction_types=types.actionable, owner_user_id=viewer.user_id, done_since=viewer.days.today
    )
    until = {DUE: until_tonight(viewer.days)}
    finished = await task_counts(connection, viewer.principal.scope, done, until)
    return OwnDay(viewer.due, finished[DUE])


async def note_due_count(request: Request) -> None:
    """Count the viewer's due and overdue tasks for the frame of a page.

    While the database is unavailable, the page shows no count.
    """
    session = session_of(request)
    if session is None or not session.principal.has("customers.view"):
        return
    owner = owner_id(session.principal)
    if owner is None:
        return
    days = days_of(datetime.now(UTC), zone_of(request))
    try:
        async with services_of(request).reads.connection() as connection:
            types = await types_of(connection, session.principal.scope)
            filters = TaskFilters(interaction_types=types.actionable, owner_user_id=owner)
            counts = await task_counts(
                connection, session.principal.scope, filters, {DUE: until_tonight(days)}
            )
    except Retry:
        return
    request.scope[DUE_COUNT] = counts[DUE]
