"""The outcome of the viewer's last command, read from the journal, with its undo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import Request

from api.own_commands import is_own
from api.queries.command_status import command_status
from api.queries.scope import Connection
from web.filters import uuid_filter
from web.viewer import Viewer

#: Seconds for which the bar is shown.
UNDO_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Notice:
    """:param kind: the command type without ``customers.``, which names the text.
    :param undo_path: address of the form that takes the command back by its token.
    """

    command_id: str
    kind: str
    outcome: str
    undo_token: str | None
    interaction_id: str | None
    undo_path: str = "/backend/undo"


async def notice_of(request: Request, viewer: Viewer, connection: Connection) -> Notice | None:
    """The notice that the address asks for, if it is the viewer's own and not old."""
    command_id = uuid_filter(request.query_params.get("done"))
    if command_id is None:
        return None
    status = await command_status(connection, viewer.principal.scope, command_id)
    if status is None or not await is_own(connection, viewer.principal, status):
        return None
    left = UNDO_SECONDS - int((viewer.days.now - status.appended_at).total_seconds())
    if left <= 0:
        return None
    return Notice(
        command_id=command_id,
        kind=status.command_type.removeprefix("customers."),
        outcome=status.outcome,
        undo_token=status.result.get("undoToken"),
        interaction_id=status.interaction_id,
    )
