"""``/api/customers/integrations``: add, change or remove an integration."""

from __future__ import annotations

import base64
from secrets import token_hex
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from api.authorization import authorized_router, require_features
from api.bodies import RequestBody
from api.mutation_guards import Mutation
from api.principal import Principal
from api.queries.integrations import has_integration
from api.response_models import ResponseModel, responses_of
from api.routes.integration_views import MANAGE, MISSING, PATH, IntegrationId
from api.services import Services, ServicesDep
from runtime.connector_settings import read_connector_settings
from runtime.secret_box import load_secret_box
from schemas.errors import Reject, Stop
from schemas.integration_decisions import (
    IntegrationAddition,
    IntegrationChange,
    IntegrationRemoval,
    IntegrationValues,
)

router = authorized_router("integrations")
_PATH: Final = PATH + "/{integration}"
_Provider = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
_Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=10_000)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Value = _Text | bool | int | _Number | list[_Text] | None
_Secret = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=10_000)]


class IntegrationBody(RequestBody):
    """Values to change. `null` restores the default; omitted settings keep their value."""

    settings: dict[_Name, _Value] = Field(default_factory=dict, max_length=50)
    policy: dict[_Name, _Value] = Field(default_factory=dict, max_length=50)
    secrets: dict[_Name, _Secret] = Field(default_factory=dict, max_length=50)


class NewIntegrationBody(IntegrationBody):
    """An integration to add. `secrets` are encrypted before they leave the gateway."""

    provider: _Provider


class IntegrationAdded(ResponseModel):
    """The integration was added. It syncs nothing until its first sync is confirmed."""

    ok: Literal[True]
    id: str
    state: str


class IntegrationChangeDone(ResponseModel):
    """The integration was changed. One that is not `active` continues once it is resumed."""

    ok: Literal[True]
    state: str


class IntegrationRemoved(ResponseModel):
    """The integration was removed. `mirrorsLeft` mirrors remain at the provider."""

    ok: Literal[True]
    mirrors_left: int


@router.post(PATH, responses=responses_of(IntegrationAdded, status_409="It would conflict with another."))
async def add_integration(
    body: NewIntegrationBody, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> dict[str, Any]:
    """Add an integration. Then test its connection, preview its plan, and start it with `sync`.

    The response comes once the connectors have checked and stored it.
    """
    return await add(services, principal, body, f"{body.provider.replace('_', '-')}-{token_hex(4)}")


async def add(
    services: Services, principal: Principal, body: NewIntegrationBody, identity: str
) -> dict[str, Any]:
    """Add an integration under an id, between the mutation guards. Repeating it with the same id is safe.

    :raises Reject: the connectors refused it.
    :raises DecisionPending: sent, and not executed in time (504).
    """
    names = {part: sorted(getattr(body, part)) for part in ("settings", "policy", "secrets")}
    sealed = _sealed(identity, body)
    wanted = IntegrationAddition(**sealed.model_dump(by_alias=True), provider=body.provider)
    mutation = _mutation(principal, "create", identity, {"provider": body.provider, **names})
    await services.mutation_guards.run_before(mutation)
    done = await services.decisions.change(principal, wanted)
    await services.mutation_guards.run_after(mutation, {"state": done.state})
    return {"ok": True, "id": identity, "state": done.state}


@router.patch(_PATH, responses=responses_of(IntegrationChangeDone, status_404=MISSING))
async def change_integration(
    integration: IntegrationId,
    body: IntegrationBody,
    services: ServicesDep,
    principal: Principal = require_features(MANAGE),
) -> dict[str, Any]:
    """Change settings, policy and secrets of an integration, for example an expired password.

    The response comes once the connectors have checked and stored the change. The gateway encrypts it with
    `INTERACTIONS_SECRETS_KEY` before it is published.
    """
    await _require(services, principal, integration)
    names = {part: sorted(getattr(body, part)) for part in ("settings", "policy", "secrets")}
    if not any(names.values()):
        raise Reject("nothing_to_set", "Name at least one setting, policy or secret.")
    sealed = _sealed(integration, body)
    mutation = _mutation(principal, "set", integration, names)
    await services.mutation_guards.run_before(mutation)
    done = await services.decisions.change(principal, sealed)
    await services.mutation_guards.run_after(mutation, {"state": done.state})
    return {"ok": True, "state": done.state}


@router.delete(_PATH, responses=responses_of(IntegrationRemoved, status_404=MISSING))
async def remove_integration(
    integration: IntegrationId, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> dict[str, Any]:
    """Remove an integration with its secrets, mappings and warnings. Its mirrors remain at the provider.

    An integration that is added later for the same board or calendar links them again.
    """
    await _require(services, principal, integration)
    mutation = _mutation(principal, "delete", integration, {})
    await services.mutation_guards.run_before(mutation)
    done = await services.decisions.change(principal, IntegrationRemoval(integrationId=integration))
    await services.mutation_guards.run_after(mutation, {"mirrorsLeft": done.mirrors_left})
    return {"ok": True, "mirrorsLeft": done.mirrors_left}


async def _require(services: Services, principal: Principal, integration: str) -> None:
    async with services.reads.connection() as connection:
        if not await has_integration(connection, principal.scope, integration):
            raise Reject("not_found", MISSING, status=404)


def _sealed(integration: str, body: IntegrationBody) -> IntegrationChange:
    """Encrypt the whole change: a secret may be among the settings by mistake.

    :raises Reject: this gateway has no key (503).
    """
    try:
        box = load_secret_box(read_connector_settings())
    except Stop as error:
        detail = f"The gateway cannot encrypt the change, so nothing was sent: {error}"
        raise Reject("no_secrets_key", detail, status=503) from None
    values = IntegrationValues(settings=body.settings, policy=body.policy, secrets=body.secrets)
    sealed = box.seal(integration, {"change": values.model_dump_json(by_alias=True)})
    return IntegrationChange(
        integrationId=integration, keyId=sealed.key_id, content=base64.b64encode(sealed.content).decode()
    )


def _mutation(principal: Principal, action: str, integration: str, data: dict[str, Any]) -> Mutation:
    return Mutation(
        principal=principal,
        action=action,
        resource_kind="integrations.integration",
        resource_id=integration,
        data=data,
    )
