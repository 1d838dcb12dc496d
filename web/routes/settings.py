"""``/backend/settings``: the viewer's language and zone, the dictionary of types, and the feature flags."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.authorization import require_features
from api.feature_flags import flags, forget
from api.principal import Principal
from api.services import ServicesDep
from schemas.errors import FieldError, Reject
from schemas.flags import DEFAULTS, NEED_VALIDATION
from sinks.flags import Flag, awaits_validation_async
from web.dictionary import types_of
from web.language import LANGUAGES, language_of
from web.notice import notice_of
from web.page_route import page_router, target_of
from web.rendering import render
from web.routes.interaction_types import GREY, ICONS, forms_of, with_undo
from web.submission import submission_of
from web.viewer import LANGUAGE_COOKIE, ZONE_COOKIE, viewer_of, zones

router = page_router()
PATH: Final = "/backend/settings"
_YEAR: Final = 365 * 86_400
_MANAGE: Final = "customers.flags.manage"
_VIEW: Final = require_features("customers.view")


@router.get(PATH)
async def settings(request: Request, services: ServicesDep, principal: Principal = _VIEW) -> Response:
    """The viewer's own settings, and the types of the organization."""
    viewer = viewer_of(request, principal)
    switches = await flags(services, principal)
    async with services.reads.connection() as connection:
        types = await types_of(connection, principal.scope)
        unvalidated = await awaits_validation_async(connection, principal.tenant_id)
        notice = await with_undo(connection, principal, await notice_of(request, viewer, connection))
    languages = [language_of(code) for code in LANGUAGES]
    names = sorted({*zones(), viewer.zone.key})
    return render(
        "settings.html",
        viewer,
        notice=notice,
        back=target_of(request),
        types=types,
        type_forms={form.code: form for form in forms_of(types)},
        new_type={"label": "", "icon": "star", "color": GREY, "actionable": "true"},
        new_icons=ICONS,
        languages=languages,
        zones=names,
        flags=[{"flag": flag, "reason": _reason(flag, principal, unvalidated)} for flag in switches.values()],
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


@router.post(PATH + "/flags")
async def set_flag(
    request: Request, services: ServicesDep, principal: Principal = require_features(_MANAGE)
) -> Response:
    """Switch a flag of the tenant."""
    form = await submission_of(request, principal)
    name, enabled = form.text("flag"), form.text("do")
    if name not in DEFAULTS or enabled not in ("on", "off"):
        raise Reject("invalid", "This flag does not exist. Reload the page.")
    data = {"flag": name, "enabled": enabled == "on"}
    # A flag belongs to its tenant, so the tenant id is the record key.
    result = await form.execute("feature_flag.set", principal.tenant_id, data)
    forget(services, principal)
    return form.back(result["commandId"])


def _reason(flag: Flag, principal: Principal, unvalidated: bool) -> str | None:
    """Name of the reason why the viewer cannot switch a flag; ``None`` if nothing prevents it."""
    if not principal.has(_MANAGE):
        return "feature"
    return "unvalidated" if unvalidated and not flag.enabled and flag.name in NEED_VALIDATION else None
