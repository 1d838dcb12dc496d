"""Store the changes of a folded batch: one fixed statement per kind of change, COPY for new rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.decision import Decision
from domain.unit_of_work import UnitOfWork
from runtime.postgres import Connection
from sinks.array_literals import plain_array
from sinks.bulk_insert import BulkInsert
from sinks.bulk_update import BulkUpdate
from sinks.columns import (
    DEAL,
    ENTITY,
    INTERACTION,
    JOURNAL,
    deal_row,
    entity_row,
    interaction_row,
    journal_row,
)
from sinks.pipelined import pipelined
from sinks.relabel import with_relabeled

_UPDATE_INTERACTIONS: Final = BulkUpdate("customer_interactions", INTERACTION)
_UPDATE_ENTITIES: Final = BulkUpdate("customer_entities", ENTITY)
_UPDATE_DEALS: Final = BulkUpdate("customer_deals", DEAL)
_NEW_INTERACTIONS: Final = BulkInsert("customer_interactions", INTERACTION)
_NEW_ENTITIES: Final = BulkInsert("customer_entities", ENTITY)
_NEW_DEALS: Final = BulkInsert("customer_deals", DEAL)
_NEW_JOURNAL: Final = BulkInsert("journal", JOURNAL)
_DELETE_INTERACTIONS: Final = "DELETE FROM customer_interactions WHERE id = ANY(%s::uuid[])"
_UPSERT_TYPES: Final = """
INSERT INTO interaction_types (tenant_id, organization_id, code, label, icon, color, actionable)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, organization_id, code) DO UPDATE
SET label = excluded.label, icon = excluded.icon, color = excluded.color, actionable = excluded.actionable
"""
_UPSERT_STRICT: Final = """
INSERT INTO interaction_dictionaries (tenant_id, organization_id, strict) VALUES (%s, %s, %s)
ON CONFLICT (tenant_id, organization_id) DO UPDATE SET strict = excluded.strict
"""
# The organization is the one from which the flag was set last; the flag belongs to its tenant.
_UPSERT_FLAGS: Final = """
INSERT INTO feature_flags (tenant_id, organization_id, flag, enabled, updated_at)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, flag) DO UPDATE SET organization_id = excluded.organization_id,
  enabled = excluded.enabled, updated_at = excluded.updated_at
"""


def store(connection: Connection, work: UnitOfWork, decisions: Sequence[Decision]) -> None:
    """Write the fold's result, inside the batch transaction (atomicity invariant).

    New rows are copied; an open pipeline cannot carry a COPY, so there they are inserted, which suits few.

    Hazard: the order matters. Entities and deals come before the interactions that refer to them. The journal
    comes last, so that its positions are drawn after every row lock is held (order of events per entity).
    """
    add = BulkInsert.insert if connection.info.pipeline_status else BulkInsert.copy
    entities, changed_entities = work.changed_entities()
    deals, changed_deals = work.changed_deals()
    interactions, changed_interactions, deleted = work.changed_interactions()
    add(_NEW_ENTITIES, connection, map(entity_row, entities))
    add(_NEW_DEALS, connection, map(deal_row, deals))
    add(_NEW_INTERACTIONS, connection, map(interaction_row, interactions))
    with pipelined(connection):
        _UPDATE_ENTITIES.write(connection, [entity_row(entity) for entity in changed_entities])
        _UPDATE_DEALS.write(connection, [deal_row(deal) for deal in changed_deals])
        _store_dictionaries(connection, work)
        _store_flags(connection, work)
        if deleted:
            connection.execute(_DELETE_INTERACTIONS, (plain_array(deleted),))
        _UPDATE_INTERACTIONS.write(connection, [interaction_row(row) for row in changed_interactions])
    entries = [with_relabeled(connection, decision) for decision in decisions if decision.logged]
    # Lazily: rows are built while the server receives the ones before.
    add(_NEW_JOURNAL, connection, map(journal_row, entries))


def _store_flags(connection: Connection, work: UnitOfWork) -> None:
    rows = sorted(work.changed_flags())  # a fixed lock order, against deadlocks
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_UPSERT_FLAGS, rows)


def _store_dictionaries(connection: Connection, work: UnitOfWork) -> None:
    # In key order: two appliers that add the same new types wait for each other without a deadlock.
    types = sorted(work.changed_types(), key=lambda item: (item[0], item[1], item[2].code))
    if types:
        with connection.cursor() as cursor:
            cursor.executemany(
                _UPSERT_TYPES,
                [
                    (tenant, organization, entry.code, entry.label, entry.icon, entry.color, entry.actionable)
                    for tenant, organization, entry in types
                ],
            )
    for row in sorted(work.changed_strictness()):
        connection.execute(_UPSERT_STRICT, row)
