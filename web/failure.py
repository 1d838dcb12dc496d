"""A failed request as a person sees it: at the form that sent it, or as a page that keeps the input."""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import Request, Response

from api.problems import DecisionPending, UnknownOutcome
from schemas.errors import InteractionsError, Reject
from web.edit_conflict import CHOICE, SEEN, EditConflict
from web.form_fields import fields_of
from web.rendering import plain_page
from web.viewer import language_of_request

#: ``form#id``, as the script sends it. Anything else is not used as a selector.
_SOURCE: Final = re.compile(r"form#[A-Za-z][A-Za-z0-9_-]{0,100}")
_HIDDEN: Final = frozenset({"csrf", "key", "back", "version", "do"})
#: Prefix of the names of fields that hold a secret.
SECRETS: Final = "secrets."


async def failure_response(request: Request, error: InteractionsError, status: int) -> Response:
    """The response to a failed request.

    For the script: a message for the slot of the form that sent the request; the typed text is still in it.
    For a browser without script: a page with the message and everything that was typed, to send once more.
    """
    words = language_of_request(request)
    values: dict[str, Any] = {
        "t": words.text,
        "words": words,
        "code": getattr(error, "code", type(error).__name__.lower()),
        "detail": str(error),
        "errors": error.errors if isinstance(error, Reject) else (),
        "command": error.command_id if isinstance(error, UnknownOutcome) else None,
        "pending": isinstance(error, DecisionPending),
        "method": request.method,
        "conflict": error if isinstance(error, EditConflict) else None,
        "script": request.headers.get("hx-request") == "true",
        "sent": (),
        "hidden": _HIDDEN,
        "secrets": SECRETS,
    }
    if request.method == "POST":
        # A secret is never sent back: the page asks for it once more.
        values["sent"] = [
            (name, "" if name.startswith(SECRETS) else value)
            for name, value in await _sent(request)
            # The decisions about a conflict belong to the message, which shows them once more.
            if name != SEEN and not name.startswith(CHOICE)
        ]
    if values["script"]:
        source = request.headers.get("hx-source", "")
        slot = f"{source} .problem" if _SOURCE.fullmatch(source) else "#problem"
        headers = {"HX-Retarget": slot, "HX-Reselect": ".message", "HX-Reswap": "innerHTML"}
        headers["HX-Replace-Url"] = "false"
        return plain_page("fragments/problem.html", status=status, headers=headers, **values)
    # With the filters of the address: a form that is sent once more must act on the same rows.
    action = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return plain_page("problem_page.html", status=status, action=action, **values)


async def _sent(request: Request) -> list[tuple[str, str]]:
    """The fields of the form; none of one that cannot be read."""
    try:
        return await fields_of(request)
    except Reject:
        return []
