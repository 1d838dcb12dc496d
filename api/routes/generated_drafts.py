"""``/api/generated-drafts`` (deprecated): the former address of the drafts, with the same handlers."""

from __future__ import annotations

from typing import Final

from fastapi import Request, Response

from api.adapters.deprecation import deprecation_headers
from api.authorization import authorized_router, require_features
from api.conditional_reads import NOT_MODIFIED
from api.principal import Principal
from api.response_models import Done, responses_of
from api.routes import drafts
from api.routes.draft_models import Draft, DraftPage
from api.services import ServicesDep
from runtime.gateway_settings import GatewaySettings
from schemas.values import UuidText

router = authorized_router("generated drafts (deprecated)")
PATH: Final = "/api/generated-drafts"
_ONE: Final = PATH + "/{draft_id}"


def extra_headers(settings: GatewaySettings) -> dict[str, dict[str, str]]:
    """Deprecation headers for every response of the route."""
    return {PATH: deprecation_headers(settings, drafts.PATH)}


router.get(PATH, deprecated=True, responses=responses_of(DraftPage))(drafts.list_drafts)
router.get(_ONE, deprecated=True, responses={**responses_of(Draft), **drafts.NOT_FOUND, **NOT_MODIFIED})(
    drafts.get_draft
)
for _add, _path, _handler in (
    (router.put, PATH, drafts.update_draft),
    (router.post, f"{PATH}/mark-sent", drafts.mark_draft_sent),
    (router.delete, PATH, drafts.delete_draft),
    (router.post, f"{PATH}/restore", drafts.restore_draft),
):
    _add(_path, deprecated=True, response_model=Done, responses=drafts.NOT_FOUND)(_handler)


@router.delete(_ONE, deprecated=True, response_model=Done, responses=drafts.NOT_FOUND)
async def delete_draft_by_path(
    draft_id: UuidText,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.delete"),
) -> Response:
    """Delete the draft that the path names."""
    return await drafts.delete_draft(request, services, draft_id, principal)
