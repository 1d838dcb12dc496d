"""Rows of integrations that belong to an erased customer: mappings, ledger, echoes and warnings.

With ``leave``, all of them go at once: a worker that holds a lease loses it and stores nothing. With
``delete``, the rows that name an object stay, without texts, until a worker has deleted the object.
"""

from __future__ import annotations

from typing import Final

from runtime.postgres import Connection
from sinks.erasure.erased import ErasedCustomer

#: Interactions of the customer, unless another customer uses their ids now.
_INTERACTIONS: Final = """
SELECT i.interaction_id FROM erased_interactions i
WHERE i.entity_id = %(entity)s AND i.tenant_id = %(tenant)s AND i.organization_id = %(organization)s
  AND NOT EXISTS (SELECT FROM customer_interactions c WHERE c.id = i.interaction_id)
"""
_SCOPE: Final = "r.tenant_id = %(tenant)s AND r.organization_id = %(organization)s"
# The ledger names the customer also where the journal no longer knows of a deleted interaction.
_LEDGER: Final = f"{_SCOPE} AND (r.entity_id = %(entity)s OR r.interaction_id IN ({_INTERACTIONS}))"
_WARNINGS: Final = _LEDGER
_ITEMS: Final = f"{_SCOPE} AND r.{{}} IN ({_INTERACTIONS})"
_KNOW_LEDGER_SQL: Final = f"""
INSERT INTO erased_interactions (interaction_id, tenant_id, organization_id, entity_id, version)
SELECT r.interaction_id, r.tenant_id, r.organization_id, r.entity_id, max(r.wanted_version)
FROM sync_ledger r WHERE {_SCOPE} AND r.entity_id = %(entity)s
  AND NOT EXISTS (SELECT FROM customer_interactions c WHERE c.id = r.interaction_id)
GROUP BY r.interaction_id, r.tenant_id, r.organization_id, r.entity_id
ON CONFLICT (interaction_id) DO UPDATE SET tenant_id = excluded.tenant_id,
  organization_id = excluded.organization_id, entity_id = excluded.entity_id, version = excluded.version
  WHERE erased_interactions.version < excluded.version
"""  # noqa: S608 - constant text
# Hazard: the ledger first, as the workers lock.
_REMOVE: Final = (
    f"DELETE FROM sync_ledger r WHERE {_LEDGER}",  # noqa: S608 - constant text
    f"DELETE FROM sync_external_id_mappings r WHERE {_ITEMS.format('local_id')}",  # noqa: S608
    f"DELETE FROM sync_echo_log r WHERE {_ITEMS.format('interaction_id')}",  # noqa: S608
    f"DELETE FROM integration_warnings r WHERE {_WARNINGS}",  # noqa: S608
)
_NAMES_OBJECT: Final = """
(r.intent_marker IS NOT NULL OR EXISTS (SELECT FROM sync_external_id_mappings m
  WHERE m.integration_id = r.integration_id AND m.local_id = r.interaction_id AND NOT m.gone))
"""
_FREE: Final = "(r.lease_until IS NULL OR r.lease_until < now())"
_FREE_ITEM: Final = """
NOT EXISTS (SELECT FROM sync_ledger l WHERE l.integration_id = r.integration_id
  AND l.interaction_id = r.{} AND l.lease_until >= now())
"""
# A worker that holds the lease runs once more: its row wants a newer version.
_DUE: Final = f"""
UPDATE sync_ledger r SET wanted_version = wanted_version + 1, next_attempt_at = now(), attempts = 0,
  parked = FALSE, pending = NULL, last_error = NULL
WHERE {_LEDGER} AND (r.wanted_version <= r.done_version OR r.next_attempt_at IS NULL
  OR r.pending IS NOT NULL OR r.parked)
"""  # noqa: S608 - constant text
_WITHOUT_TEXTS: Final = f"""
UPDATE sync_external_id_mappings r SET base = '{{}}', extra = '{{}}', external_url = NULL
WHERE {_ITEMS.format("local_id")} AND NOT r.gone AND {_FREE_ITEM.format("local_id")}
"""  # noqa: S608 - constant text
_ECHOES: Final = f"""
DELETE FROM sync_echo_log r
WHERE {_ITEMS.format("interaction_id")} AND {_FREE_ITEM.format("interaction_id")}
"""  # noqa: S608 - constant text
_REDUCE: Final = (
    f"DELETE FROM sync_ledger r WHERE {_LEDGER} AND {_FREE} AND NOT {_NAMES_OBJECT}",  # noqa: S608
    _DUE,
    _WITHOUT_TEXTS,
    f"DELETE FROM sync_external_id_mappings r WHERE {_ITEMS.format('local_id')} AND r.gone",  # noqa: S608
    _ECHOES,
    f"DELETE FROM integration_warnings r WHERE {_WARNINGS}",  # noqa: S608
)
_BUSY_SQL: Final = f"SELECT count(*) FROM sync_ledger r WHERE {_LEDGER} AND r.lease_until >= now()"  # noqa: S608
_PENDING_SQL: Final = f"""
SELECT count(*) FROM sync_external_id_mappings r WHERE {_ITEMS.format("local_id")}
"""  # noqa: S608 - constant text


def release_mirrors(connection: Connection, customer: ErasedCustomer) -> int:
    """Remove or reduce the rows by policy; return the number of objects that are still to be deleted.

    Idempotent. Rows that a worker holds are reduced by a later call, or by the worker itself.
    """
    parameters = _parameters(customer)
    with connection.transaction():
        connection.execute(_KNOW_LEDGER_SQL, parameters)
        for statement in _REMOVE if customer.mirrors == "leave" else _REDUCE:
            connection.execute(statement, parameters)
    return pending_mirrors(connection, customer)


def are_leased(connection: Connection, customer: ErasedCustomer) -> bool:
    """Report whether workers hold rows of the customer."""
    row = connection.execute(_BUSY_SQL, _parameters(customer)).fetchone()
    return row is not None and row[0] > 0


def pending_mirrors(connection: Connection, customer: ErasedCustomer) -> int:
    """Count the objects whose deletion a provider has not confirmed yet; 0 where they are left."""
    row = connection.execute(_PENDING_SQL, _parameters(customer)).fetchone()
    assert row is not None
    return int(row[0])


def erasure_of(
    connection: Connection, tenant_id: str, organization_id: str, interaction_id: str, entity_id: str | None
) -> str | None:
    """Return the policy if the interaction was erased with its customer, otherwise ``None``.

    :param entity_id: its customer, as far as the caller knows.
    """
    row = connection.execute(
        "SELECT e.mirrors FROM erased_entities e WHERE e.tenant_id = %s AND e.organization_id = %s"
        " AND e.entity_id = coalesce((SELECT i.entity_id FROM erased_interactions i"
        " WHERE i.interaction_id = %s), %s)",
        (tenant_id, organization_id, interaction_id, entity_id),
    ).fetchone()
    return row[0] if row is not None else None


def _parameters(customer: ErasedCustomer) -> dict[str, str]:
    return {
        "entity": customer.entity_id,
        "tenant": customer.tenant_id,
        "organization": customer.organization_id,
    }
