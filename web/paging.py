"""Position of a keyset page in its address."""

from __future__ import annotations

from datetime import datetime

from fastapi import Request

from api.queries.keyset import After
from api.queries.scope import Row
from web.filters import uuid_filter


def after_of(request: Request) -> After | None:
    """The last row of the previous page; ``None`` for the first page and for a malformed position."""
    identity = uuid_filter(request.query_params.get("id"))
    try:
        moment = datetime.fromisoformat(request.query_params.get("after", ""))
    except ValueError:
        return None
    return After(moment, identity) if identity is not None and moment.tzinfo is not None else None


def last_of(rows: list[Row]) -> dict[str, str]:
    """Parameters of the address of the page that follows these rows."""
    return {"after": rows[-1]["sort_key"].isoformat(), "id": rows[-1]["id"]} if rows else {}
