"""One command of a deprecated route: published, and answered when it is committed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.adapters.translation import AdapterCommand
from api.command_gateway import CommandRequest
from api.principal import Principal
from api.services import Services


async def execute(
    services: Services,
    principal: Principal,
    step: AdapterCommand,
    *,
    key: str | None = None,
    route: str = "",
    version: int | None = None,
) -> dict[str, Any]:
    """Publish one command and wait until it is committed."""
    made = CommandRequest(
        principal=principal,
        kind=step.type.removeprefix("customers."),
        entity_id=step.entity_id,
        data=step.data,
        idempotency_key=key,
        route=route,
        expected_version=version,
    )
    if step.command_id is not None:
        made = replace(made, command_id=step.command_id)
    return await services.commands.execute(made)
