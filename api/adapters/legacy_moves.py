"""Move a legacy row: create it as an interaction under its own id (``domain.legacy_rows``)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from api.adapters.execute import execute
from api.adapters.translation import AdapterCommand, wire
from api.command_gateway import Rejection
from api.principal import Principal
from api.queries.legacy_surroundings import surroundings_of
from api.queries.scope import Scope
from api.services import Services
from domain.legacy_rows import create_data, placeholder, placeholder_id
from schemas.errors import Reject
from schemas.identity import derive_id

#: Rejections that mean another request has moved the row, or created the placeholder.
_EXISTS_ALREADY: Final = frozenset({"interaction_exists", "version_conflict"})


async def move(services: Services, principal: Principal, row: dict[str, Any]) -> None:
    """Create a legacy row as an interaction. Concurrent moves of one row create one interaction.

    :param row: in the columns of the views.
    """
    async with services.reads.connection() as connection:
        surroundings = await surroundings_of(connection, principal.scope, row)
    entity_id = (
        row["entity_id"]
        if surroundings.customer_known
        else await _customer(services, principal, row["entity_id"])
    )
    data = wire(create_data(row, surroundings, datetime.now(UTC)))
    await _execute(
        services, principal, move_command(principal.scope, entity_id, "customers.interaction.create", data)
    )


def move_command(scope: Scope, entity_id: str, kind: str, data: dict[str, Any]) -> AdapterCommand:
    """A command of the move. Its id is derived from its content, so that a repetition is a duplicate.

    A command that was rejected under older rules, or before the customer was known, has other content and
    therefore another id: it does not block this one.
    """
    content = orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()
    identity = derive_id("move", scope.tenant_id, scope.organization_id, entity_id, content)
    return AdapterCommand(kind, entity_id, data, command_id=identity)


async def _customer(services: Services, principal: Principal, entity_id: str) -> str:
    """Create a placeholder for an unknown customer and return its id."""
    ids = (entity_id, placeholder_id(principal.tenant_id, principal.organization_id, entity_id))
    for identity in ids:
        command = move_command(principal.scope, identity, "customers.entity.upsert", placeholder(identity))
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
