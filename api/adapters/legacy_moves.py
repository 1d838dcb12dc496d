"""Move a legacy row: publish its creation as an interaction, under its own id (``domain.legacy_rows``)."""

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

#: Another request has just moved the row, or made the placeholder.
_THERE_ALREADY: Final = frozenset({"interaction_exists", "version_conflict"})


async def move(services: Services, principal: Principal, row: dict[str, Any]) -> None:
    """Make a legacy row an interaction; two clients that do so at once make one.

    :param row: in the columns of the views.
    """
    async with services.reads.connection() as connection:
        around = await surroundings_of(connection, principal.scope, row)
    entity_id = (
        row["entity_id"] if around.customer_known else await _customer(services, principal, row["entity_id"])
    )
    data = wire(create_data(row, around, datetime.now(UTC)))
    await _execute(
        services, principal, move_command(principal.scope, entity_id, "customers.interaction.create", data)
    )


def move_command(scope: Scope, entity_id: str, kind: str, data: dict[str, Any]) -> AdapterCommand:
    """A command of the move. Its id follows from its content, so that a repetition does nothing again.

    A command that was rejected under older rules, or before the customer was known, has another content and
    so does not stand in the way.
    """
    content = orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()
    identity = derive_id("move", scope.tenant_id, scope.organization_id, entity_id, content)
    return AdapterCommand(kind, entity_id, data, command_id=identity)


async def _customer(services: Services, principal: Principal, entity_id: str) -> str:
    """Make a placeholder for an unknown customer; the id under which it is."""
    ids = (entity_id, placeholder_id(principal.tenant_id, principal.organization_id, entity_id))
    for identity in ids:
        step = move_command(principal.scope, identity, "customers.entity.upsert", placeholder(identity))
        try:
            await _execute(services, principal, step, version=0)
        except Rejection as rejection:
            if rejection.code != "id_not_available" or identity == ids[-1]:
                raise
        else:
            return identity
    raise AssertionError("unreachable")


async def _execute(
    services: Services, principal: Principal, step: AdapterCommand, version: int | None = None
) -> None:
    try:
        await execute(services, principal, step, version=version)
    except Reject as rejection:
        if rejection.code == "in_flight":
            # Another request moves the row right now. Behind its command this one finds the row moved.
            await _execute(services, principal, replace(step, command_id=None), version)
        elif rejection.code not in _THERE_ALREADY:
            raise
