"""Position of a keyset page in its address."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from fastapi import Request

from api.queries.keyset import After
from api.queries.scope import Row
from web.filters import uuid_filter

#: Position of a row without a date.
_NONE: Final = "none"
_POSITION: Final = re.compile(r"[0-9]{1,18}")


def position_of(request: Request) -> int | None:
    """Position in the journal before which a page begins; ``None`` for the newest."""
    given = request.query_params.get("before", "")
    return int(given) if _POSITION.fullmatch(given) else None


def after_of(request: Request, part: str = "") -> After | None:
    """The last row of the previous page; ``None`` for the first page and for a malformed position.

    :param part: of a page with several lists: prefix of the parameters of this one.
    """
    identity = uuid_filter(request.query_params.get(f"{part}id"))
    given = request.query_params.get(f"{part}after", "")
    if given == _NONE and identity is not None:
        return After(None, identity)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        return None
    return After(moment, identity) if identity is not None and moment.tzinfo is not None else None


def last_of(rows: list[Row], part: str = "") -> dict[str, str]:
    """Parameters of the address of the page that follows these rows."""
    if not rows:
        return {}
    moment = rows[-1]["sort_key"]
    return {f"{part}after": moment.isoformat() if moment is not None else _NONE, f"{part}id": rows[-1]["id"]}
