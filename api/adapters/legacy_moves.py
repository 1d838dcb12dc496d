"""Move a legacy row: create it as an interaction under its own id (``domain.legacy_rows``)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from api.adapters.execute import execute
from api.adapters.translation import AdapterCommand
from api.command_gateway import Rejection
from api.principal import Principal
from api.queries.legacy_source import legacy_row
from api.services import Services
from domain.legacy_rows import command_id, convert, placeholder, placeholder_ids
from schemas.errors import Reject
from schemas.payloads import CREATE, ENTITY_UPSERT

#: Rejections that mean another request has moved the row, or created the placeholder.
_EXISTS_ALREADY: Final = frozenset({"interaction_exists", "version_conflict"})


async def move(services: Services, principal: Principal, row_id: str) -> None:
    """Create a legacy row as an interaction. Concurrent moves of one row create one interaction."""
    async with services.reads.connection() as connection:
        found = await legacy_row(connection, principal.scope, row_id)
    if found is None:
        return
    row, facts = found
    entity_id = (
        row["entity_id"] if facts.customer_known else await _customer(services, principal, row["entity_id"])
    )
    data = convert(row, facts, datetime.now(UTC)).data
    command = _command(principal, entity_id, CREATE, data, row["generation"])
    await _execute(services, principal, command)


def _command(
    principal: Principal, entity_id: str, kind: str, data: dict[str, Any], generation: int = 0
) -> AdapterCommand:
    identity = command_id(principal.tenant_id, principal.organization_id, entity_id, data, generation)
    return AdapterCommand(kind, entity_id, data, command_id=identity)


async def _customer(services: Services, principal: Principal, entity_id: str) -> str:
    """Create a placeholder for an unknown customer and return its id."""
    ids = placeholder_ids(principal.tenant_id, principal.organization_id, entity_id)
    for identity in ids:
        command = _command(principal, identity, ENTITY_UPSERT, placeholder(identity))
        try:
            await _execute(services, principal, command, version=0)
        except Rejection as rejection:
            if rejection.code != "id_not_available" or identity == ids[-1]:
                raise
        else:
            return identity
    raise AssertionError("unreachable")


async def _execute(
    services: Services, principal: Principal, command: AdapterCommand, version: int | None = None
) -> None:
    try:
        await execute(services, principal, command, version=version)
    except Reject as rejection:
        if rejection.code == "in_flight":
            # Another request is moving the row. A command behind it finds the row moved.
            await _execute(services, principal, replace(command, command_id=None), version)
        elif rejection.code not in _EXISTS_ALREADY:
            raise
