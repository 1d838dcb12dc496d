"""Mirrors of the interactions of a page, with the names of their providers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.principal import Principal
from api.queries.integration_list import stored_providers
from api.queries.mirror_badges import mirror_rows
from api.queries.scope import Connection, Row


async def mirrors_by_row(
    connection: Connection, principal: Principal, rows: Iterable[Row]
) -> dict[str, list[Row]]:
    """Interaction id → its mirrors. One statement for all rows; the names are read if there is a mirror.

    A mirror has the columns of ``mirror_rows`` and ``name``, the provider's title.
    """
    mirrors = await mirror_rows(connection, principal.scope, [row["id"] for row in rows])
    declared = providers_of(await stored_providers(connection)) if mirrors else {}
    found: dict[str, list[Row]] = {}
    for mirror in mirrors:
        name = declared.get(mirror["provider"], {}).get("title", mirror["provider"])
        found.setdefault(mirror["interaction_id"], []).append({**mirror, "name": name})
    return found


def providers_of(stored: Row | None) -> dict[str, dict[str, Any]]:
    """Name → declaration of the installed providers; empty before the connectors have run."""
    return {it["name"]: it for it in stored["checkpoint"]["providers"]} if stored is not None else {}
