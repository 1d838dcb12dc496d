"""``/backend/settings``: the viewer's language and zone, and the dictionary of types."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.authorization import require_features
from api.principal import Principal
from api.services import ServicesDep
from schemas.errors import FieldError, Reject
from web.dictionary import types_of
from web.language import LANGUAGES, language_of
from web.page_route import page_router, target_of
from web.rendering import render
from web.submission import submission_of
from web.viewer import LANGUAGE_COOKIE, ZONE_COOKIE, viewer_of, zones

router = page_router()
PATH: Final = "/backend/settings"
_YEAR: Final = 365 * 86_400
_VIEW: Final = require_features("customers.view")


@router.get(PATH)
async def settings(request: Request, services: ServicesDep, principal: Principal = _VIEW) -> Response:
    """The viewer's own settings, and the types of the organization."""
    viewer = viewer_of(request, principal)
    async with services.reads.connection() as connection:
        types = await types_of(connection, principal.scope)
    languages = [language_of(code) for code in LANGUAGES]
    names = sorted({*zones(), viewer.zone.key})
    return render(
        "settings.html", viewer, types=types, languages=languages, zones=names, back=target_of(request)
    )


@router.post(PATH)
async def save_settings(request: Request, principal: Principal = _VIEW) -> Response:
    """Remember language and zone in this browser."""
    form = await submission_of(request, principal)
    language, zone = form.text("language"), form.text("zone")
    if language not in LANGUAGES or zone not in [*zones(), "UTC"]:
        text = "Choose a language and a zone from the lists."
        raise Reject("invalid", text, errors=(FieldError("invalid", text, "/zone"),))
    response = RedirectResponse(PATH, 303)
    for name, value in ((LANGUAGE_COOKIE, language), (ZONE_COOKIE, quote(zone, safe=""))):
        response.set_cookie(name, value, max_age=_YEAR, secure=True, samesite="lax")
    return response
