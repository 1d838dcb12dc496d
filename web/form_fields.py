"""Fields of a form, as the pages' own forms send them."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from schemas.errors import Reject

_MULTIPART: Final = "multipart/"


async def fields_of(request: Request) -> list[tuple[str, str]]:
    """Read the fields of a form in their order; a body of another type has none.

    :raises Reject: the form is malformed (400), or sent as ``multipart/form-data`` (415). Hazard: its charset
        names any codec of Python, some of which decode to lone surrogates or raise further errors.
    """
    if request.headers.get("content-type", "").strip().lower().startswith(_MULTIPART):
        raise Reject(
            "unsupported_media_type",
            "Send the form as application/x-www-form-urlencoded. Nothing was changed.",
            status=415,
        )
    # The page of a failure reads the form once more, also one that cannot be parsed.
    await request.body()
    try:
        form = await request.form()
    except HTTPException:
        raise Reject("malformed_form", "The form cannot be read. Nothing was changed.") from None
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
