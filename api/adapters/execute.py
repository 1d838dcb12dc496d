"""Execute the commands of the deprecated routes."""

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
    command: AdapterCommand,
    *,
    key: str | None = None,
    route: str = "",
    version: int | None = None,
) -> dict[str, Any]:
    """Publish one command and return its result once it is committed."""
    request = CommandRequest(
        principal=principal,
        kind=command.type.removeprefix("customers."),
        entity_id=command.entity_id,
        data=command.data,
        idempotency_key=key,
        route=route,
        expected_version=version,
    )
    if command.command_id is not None:
        request = replace(request, command_id=command.command_id)
    return await services.commands.execute(request)
