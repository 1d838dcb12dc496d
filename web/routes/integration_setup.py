"""Set up, change and remove an integration, with forms that follow from the provider's declaration."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any, Final, TypeVar

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from api.authorization import require_features
from api.principal import Principal
from api.queries.integration_list import integration_rows, stored_providers
from api.queries.scope import Row
from api.routes.integration_operations import execute
from api.routes.integration_views import MANAGE, MISSING, IntegrationId
from api.routes.integrations import (
    IntegrationBody,
    NewIntegrationBody,
    add,
    change_integration,
    remove_integration,
)
from api.services import Services, ServicesDep
from schemas.errors import FieldError, InteractionsError, Reject
from schemas.integration_decisions import IntegrationOperation
from web.mirrors import providers_of
from web.page_route import page_router, target_of
from web.receipt import make_receipt
from web.rendering import render
from web.routes.integrations import PATH, path_of
from web.setting_fields import changes_of, inputs_of
from web.submission import Submission, submission_of
from web.viewer import viewer_of

router = page_router()
_ADD: Final = PATH + "/add/{provider}"
_MANAGE: Final = require_features(MANAGE)
_Body = TypeVar("_Body", bound=BaseModel)


@router.get(_ADD)
async def setup(
    provider: str, request: Request, services: ServicesDep, principal: Principal = _MANAGE
) -> Response:
    """The form that adds an integration."""
    stored, declared = await _declaration(services, provider)
    return render(
        "integration_setup.html",
        viewer_of(request, principal),
        back=target_of(request),
        declared=declared,
        action=f"{PATH}/add/{declared['name']}",
        settings_inputs=inputs_of("settings", declared["settings"], None),
        policy_inputs=inputs_of("policy", stored["checkpoint"]["policy"], None),
    )


@router.post(_ADD)
async def add_one(provider: str, request: Request, principal: Principal = _MANAGE) -> Response:
    """Add an integration and test its connection. Its page shows the result of the test."""
    form = await submission_of(request, principal)
    stored, declared = await _declaration(form.services, provider)
    values = _values(form, declared, stored)
    body = _checked(NewIntegrationBody, {"provider": provider, **values})
    # The id follows from the form's key, so that sending the form twice adds one integration.
    suffix = hashlib.sha256(f"{principal.organization_id} {form.key}".encode()).hexdigest()[:8]
    done = await add(form.services, principal, body, f"{provider.replace('_', '-')}-{suffix}")
    with suppress(InteractionsError):
        test = IntegrationOperation(integrationId=done["id"], operation="test")
        await execute(form.services, principal, test)
    return _follow(path_of(done["id"]), make_receipt(form.viewer, "added"))


@router.post(PATH + "/{integration}/settings")
async def change(integration: IntegrationId, request: Request, principal: Principal = _MANAGE) -> Response:
    """Change the settings that differ from those of the form, and the secrets that were typed."""
    form = await submission_of(request, principal)
    async with form.services.reads.connection() as connection:
        rows = await integration_rows(connection, principal.scope, integration)
    if not rows:
        raise Reject("integration_not_found", MISSING, status=404)
    stored, declared = await _declaration(form.services, rows[0]["provider"])
    body = _checked(IntegrationBody, _values(form, declared, stored))
    await change_integration(integration, body, form.services, principal)
    return form.back(make_receipt(form.viewer, "changed"))


@router.post(PATH + "/{integration}/remove")
async def remove(integration: IntegrationId, request: Request, principal: Principal = _MANAGE) -> Response:
    """Remove an integration; its mirrors stay at the provider."""
    form = await submission_of(request, principal)
    done = await remove_integration(integration, form.services, principal)
    return _follow(PATH, make_receipt(form.viewer, "removed", done["mirrorsLeft"]))


async def _declaration(services: Services, provider: str) -> tuple[Row, dict[str, Any]]:
    async with services.reads.connection() as connection:
        stored = await stored_providers(connection)
    declared = providers_of(stored).get(provider)
    if stored is None or declared is None:
        raise Reject(
            "provider_not_found", "The connectors that run here do not have this provider.", status=404
        )
    return stored, declared


def _values(form: Submission, declared: dict[str, Any], stored: Row) -> dict[str, dict[str, Any]]:
    return {
        "settings": changes_of(form, "settings", declared["settings"]),
        "secrets": changes_of(form, "secrets", declared["settings"]),
        "policy": changes_of(form, "policy", stored["checkpoint"]["policy"]),
    }


def _checked(model: type[_Body], values: dict[str, Any]) -> _Body:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        errors = tuple(
            FieldError("invalid", problem["msg"], "/" + "/".join(map(str, problem["loc"][:2])))
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise Reject("invalid_settings", "The settings are invalid.", errors=errors) from None


def _follow(path: str, done: str) -> Response:
    return RedirectResponse(f"{path}?done={done}", 303)
