"""Place in the work list, in the address of a page."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from fastapi import Request

from api.queries.task_list import Position
from web.filters import uuid_filter

_RANK: Final = re.compile(r"-?[0-9]{1,3}")


def place_of(request: Request) -> Position | None:
    """The place after which a page begins; ``None`` for the first page and for a malformed place."""
    given = request.query_params
    identity, rank = uuid_filter(given.get("id")), given.get("rank", "")
    try:
        moment = datetime.fromisoformat(given.get("after", ""))
    except ValueError:
        return None
    if identity is None or moment.tzinfo is None or not _RANK.fullmatch(rank):
        return None
    return Position(moment, int(rank), identity)


def parameters_of(place: Position) -> dict[str, str]:
    """Inverse of ``place_of``."""
    return {"after": place.moment.isoformat(), "rank": str(place.rank), "id": place.id}
