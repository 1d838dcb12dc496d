"""Outcomes of a job's own commands, as the journal has them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from runtime.postgres import Connection

_SQL: Final = """
SELECT j.command_id, j.outcome, j.facts #>> '{problem,code}'
FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS w (tenant, organization, command)
JOIN journal j ON j.tenant_id = w.tenant AND j.organization_id = w.organization AND j.command_id = w.command
"""


class Outcome(NamedTuple):
    """Outcome of one command.

    :param code: of the rejection, if it was rejected.
    """

    outcome: str
    code: str | None


def outcomes_of(connection: Connection, commands: Collection[tuple[str, str, str]]) -> dict[str, Outcome]:
    """Read the outcomes that are committed, by command id.

    :param commands: tenant, organization and command id of each.
    """
    if not commands:
        return {}
    tenants, organizations, ids = zip(*commands, strict=True)
    rows = connection.execute(_SQL, (list(tenants), list(organizations), list(ids)))
    return {command: Outcome(outcome, code) for command, outcome, code in rows}
