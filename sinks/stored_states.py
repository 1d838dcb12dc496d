"""Read customers, deals and dictionary entries as they are now, for the state topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from psycopg.types.string import TextLoader

from domain.model import Deal, Entity, TypeEntry
from runtime.postgres import Connection
from sinks.array_literals import plain_array
from sinks.columns import LEAST_ID
from sinks.records import DEALS, ENTITIES, TYPES

_ENTITIES: Final = f"SELECT {ENTITIES.selection('r')} FROM customer_entities r"  # noqa: S608 - our own names
_DEALS: Final = f"SELECT {DEALS.selection('r')} FROM customer_deals r"  # noqa: S608
_TYPES: Final = f"SELECT {TYPES.selection('r')} FROM interaction_types r"  # noqa: S608
_BY_ID: Final = " WHERE r.id = ANY(%s::uuid[])"
_BY_SCOPE: Final = (
    " JOIN unnest(%s::uuid[], %s::uuid[]) AS w (tenant, organization)"
    " ON (r.tenant_id, r.organization_id) = (w.tenant, w.organization)"
)
_AFTER_ID: Final = " WHERE r.id > %s ORDER BY r.id LIMIT %s"
_AFTER_CODE: Final = (
    " WHERE (r.tenant_id, r.organization_id, r.code) > (%s, %s, %s)"
    " ORDER BY r.tenant_id, r.organization_id, r.code LIMIT %s"
)
Stored = Entity | Deal | TypeEntry


class StoredStates:
    """Reads rows through one autocommit connection."""

    def __init__(self, connection: Connection) -> None:
        connection.adapters.register_loader("uuid", TextLoader)
        self._connection = connection

    def entities(self, ids: Iterable[str]) -> list[Entity]:
        """Read customers by id."""
        return self._read(_ENTITIES + _BY_ID, (plain_array(ids),), ENTITIES.of)

    def deals(self, ids: Iterable[str]) -> list[Deal]:
        """Read deals by id."""
        return self._read(_DEALS + _BY_ID, (plain_array(ids),), DEALS.of)

    def types(self, scopes: Iterable[tuple[str, str]]) -> list[TypeEntry]:
        """Read the dictionaries of tenants and organizations."""
        tenants, organizations = zip(*scopes, strict=True)
        return self._read(_TYPES + _BY_SCOPE, (plain_array(tenants), plain_array(organizations)), TYPES.of)

    def pages(self, size: int) -> Iterator[list[Stored]]:
        """Read all rows, page by page, each page with a query of its own."""
        ids = ((_ENTITIES, ENTITIES.of), (_DEALS, DEALS.of))
        for query, of in ids:
            read = partial(self._read, query + _AFTER_ID, of=of)
            yield from self._pages(read, (LEAST_ID,), lambda row: (row.id,), size)
        read = partial(self._read, _TYPES + _AFTER_CODE, of=TYPES.of)
        yield from self._pages(read, (LEAST_ID, LEAST_ID, ""), lambda row: row.key, size)

    def _pages(
        self,
        read: Callable[..., list[Any]],
        start: tuple[Any, ...],
        key: Callable[[Any], tuple[Any, ...]],
        size: int,
    ) -> Iterator[list[Stored]]:
        after = start
        while rows := read(values=(*after, size)):
            yield rows
            after = key(rows[-1])

    def _read(self, query: str, values: tuple[Any, ...], of: Callable[[Any], Any]) -> list[Any]:
        return [of(row) for row in self._connection.execute(query, values)]
