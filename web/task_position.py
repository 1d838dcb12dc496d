"""Place in the work list, in the address of a page."""

from __future__ import annotations

import re
from typing import Final

from fastapi import Request

from api.queries.task_list import Position
from web.paging import after_of

_RANK: Final = re.compile(r"-?[0-9]{1,3}")


def place_of(request: Request) -> Position | None:
    """The place after which a page begins; ``None`` for the first page and for a malformed place."""
    after, rank = after_of(request), request.query_params.get("rank", "")
    if after is None or after.key is None or not _RANK.fullmatch(rank):
        return None
    return Position(after.key, int(rank), after.id)


def parameters_of(place: Position) -> dict[str, str]:
    """Inverse of ``place_of``."""
    return {"after": place.moment.isoformat(), "rank": str(place.rank), "id": place.id}
