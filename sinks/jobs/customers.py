"""Customers page by page, in the order of their ids: the source rows of jobs over customers."""

from __future__ import annotations

from typing import Final, NamedTuple

from runtime.postgres import Connection
from sinks.columns import LEAST_ID

_SCOPE: Final = "(%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s::uuid)"
_PAGE_SQL: Final = f"""
SELECT id::text, tenant_id::text, organization_id::text FROM customer_entities
WHERE id > %(after)s::uuid AND {_SCOPE} ORDER BY id LIMIT %(limit)s
"""  # noqa: S608 - our own constants
_COUNT_SQL: Final = f"SELECT count(*) FROM customer_entities WHERE {_SCOPE}"  # noqa: S608 - our own constants
_ONE_SQL: Final = """
SELECT id::text, tenant_id::text, organization_id::text FROM customer_entities WHERE id = %s
"""


class Customer(NamedTuple):
    """Id and scope of a customer."""

    id: str
    tenant_id: str
    organization_id: str


def customers_after(
    connection: Connection, after: str | None, limit: int, tenant_id: str | None = None
) -> list[Customer]:
    """Return the next customers in the order of their ids; none at the end.

    :param after: last id of the page before.
    :param tenant_id: of this tenant only.
    """
    given = {"after": after or LEAST_ID, "limit": limit, "tenant": tenant_id}
    return [Customer(*row) for row in connection.execute(_PAGE_SQL, given)]


def count_customers(connection: Connection, tenant_id: str | None = None) -> int:
    """Count the customers, of one tenant or all."""
    row = connection.execute(_COUNT_SQL, {"tenant": tenant_id}).fetchone()
    assert row is not None
    return int(row[0])


def find_customer(connection: Connection, entity_id: str) -> Customer | None:
    """Find a customer by its id, in any tenant."""
    row = connection.execute(_ONE_SQL, (entity_id,)).fetchone()
    return Customer(*row) if row is not None else None
