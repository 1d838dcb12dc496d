"""Read the tables from one REPEATABLE READ snapshot that stays fixed for the whole audit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from audit.history import Row
from audit.instants import micros
from audit.interaction_tuple import COLUMNS
from audit.signals.rows import Draft, Outcome, Signal
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.errors import Stop

_INTERACTIONS: Final = ", ".join(
    f"{name}::text" if name == "id" or name.endswith("_id") else name for name in COLUMNS
)
_ENTITIES: Final = """
    id::text, tenant_id::text, organization_id::text, kind, display_name, primary_email, primary_phone,
    owner_user_id::text, entity_version, next_interaction_at, next_interaction_name,
    next_interaction_ref_id::text, next_interaction_icon, next_interaction_color, last_interaction_at,
    last_interaction_name, last_interaction_ref_id::text, open_count, overdue_count, done_count, created_at
"""
_DEALS: Final = (
    "id::text, tenant_id::text, organization_id::text, entity_id::text, title, status, version, created_at"
)
_JOURNAL: Final = """
    tenant_id::text, organization_id::text, command_id, entity_id::text, partition, "offset", outcome,
    entity_version, logged_at
"""
_PUBLICATIONS: Final = """
    tenant_id::text, organization_id::text, command_id, entity_id::text, logged_at, appended_at, position,
    xid, events, facts IS NOT NULL AS has_facts, facts ->> 'event' AS event,
    facts -> 'step' ->> 'event' AS step_event,
    facts ->> 'next_changed' IS NOT NULL AS next_changed,
    facts ->> 'projection_changed' IS NOT NULL AS projection_changed,
    facts ->> 'states_only' IS NOT NULL AS states_only,
    facts -> 'record' ->> 'kind' AS record_kind,
    facts -> 'record' -> 'before' IS NULL AS record_is_new, facts -> 'relabeled' AS relabeled,
    facts -> 'erased' IS NOT NULL AS erases, facts -> 'scrubbed' AS scrubbed,
    (undo IS NOT NULL OR coalesce(result ->> 'nextInteraction', result ->> 'undoToken') IS NOT NULL
     OR EXISTS (SELECT FROM json_object_keys(facts) AS k (name) WHERE k.name IN
       ('before', 'after', 'step', 'previous', 'next', 'record', 'changes', 'undoable'))) AS has_payload,
    (SELECT array_agg(ARRAY[c ->> 'event', coalesce(c -> 'after', c -> 'before') ->> 'id'])
     FROM json_array_elements(facts -> 'changes') c WHERE c ->> 'event' IS NOT NULL) AS changed
"""
_SIGNALS, _DRAFTS, _OUTCOMES = (
    ", ".join(f"{name}::text" if name == "id" or name.endswith("_id") else name for name in kind._fields)
    for kind in (Signal, Draft, Outcome)
)
_SELECT: Final[dict[str, str]] = {
    "customer_interactions": _INTERACTIONS,
    "customer_entities": _ENTITIES,
    "customer_deals": _DEALS,
    "signals": _SIGNALS,
    "generated_drafts": _DRAFTS,
    "signal_outcomes": _OUTCOMES,
    "interaction_types": "tenant_id::text, organization_id::text, code, label, icon, color, actionable",
    "interaction_dictionaries": "tenant_id::text, organization_id::text, strict",
    "feature_flags": "tenant_id::text, organization_id::text, flag, enabled",
    "journal": _JOURNAL,
    # The pass that compares publications is the only one that parses the facts, most of a row.
    "publications": _PUBLICATIONS,
    "erased_entities": "entity_id::text, tenant_id::text, organization_id::text, entity_version, cleaned_at",
    # Rows of erased customers in tables that the fold does not know.
    "erasure_leftovers": "place, entity_id::text, rows, due",
    "consumed_offsets": "consumer_group, topic, partition, next_offset, results_offset",
}
_LEFTOVERS: Final = "({}) AS l".format(
    " UNION ALL ".join(
        f"SELECT '{table}' AS place, e.entity_id, count(*) AS rows, e.cleaned_at IS NOT NULL AS due"  # noqa: S608
        f" FROM erased_entities e JOIN {table} t ON {condition} GROUP BY e.entity_id, e.cleaned_at"
        for table, condition in (
            ("customer_activities", "t.entity_id = e.entity_id"),
            ("customer_todo_links", "t.entity_id = e.entity_id"),
            ("legacy_interactions", "t.entity_id = e.entity_id"),
            ("integration_warnings", "t.entity_id = e.entity_id"),
            (
                "sync_external_id_mappings",
                "e.mirrors = 'leave' AND EXISTS (SELECT FROM erased_interactions i"  # noqa: ISC004
                " WHERE i.entity_id = e.entity_id AND i.interaction_id = t.local_id)"
                " AND NOT EXISTS (SELECT FROM customer_interactions c WHERE c.id = t.local_id)",
            ),
        )
    )
)
# Hazard: the problem of a rejection may name a field with a NUL character, on which Postgres fails when it
# reads any member of the facts. A rejection publishes nothing, so its facts are not needed.
_JOURNAL_ROWS: Final = """(
    SELECT tenant_id, organization_id, command_id, entity_id, logged_at, appended_at, position, xid, events,
      undo, result,
      CASE WHEN outcome = 'rejected' AND facts IS NOT NULL THEN '{}'::json ELSE facts END AS facts
    FROM journal
) AS j"""
_STORED_IN: Final = {"publications": _JOURNAL_ROWS, "erasure_leftovers": _LEFTOVERS}
TABLES: Final = tuple(_SELECT)
_BATCH: Final = 10_000


class PostgresReader:
    """Reader with one read-only REPEATABLE READ transaction, ended by ``close``.

    :raises Stop: Postgres is unavailable, or a table cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._connection: psycopg.Connection[Any] = connect(settings, application_name="interactions-audit")
        # The first statement takes the snapshot. The transaction idles for minutes while topics are read.
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True
        self._connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        self._connection.execute("SELECT 1 FROM pg_snapshot_xmin(pg_current_snapshot())")

    def now(self) -> int:
        """Time of the snapshot in µs, by the database's clock."""
        row = self._connection.execute("SELECT now()").fetchone()
        return micros(row[0] if row else None) or 0

    def close(self) -> None:
        """End the snapshot."""
        self._connection.close()

    def rows(self, table: str) -> Iterator[Row]:
        """Every row of a table; ids are strings, instants are aware datetimes."""
        stored_in = _STORED_IN.get(table, table)
        query = f"SELECT {_SELECT[table]} FROM {stored_in}"  # noqa: S608 - names of this file only
        try:
            with self._connection.cursor(f"audit_{table}", row_factory=dict_row) as cursor:
                cursor.itersize = _BATCH
                cursor.execute(query)
                yield from cursor
        except psycopg.Error as error:
            raise Stop(f"cannot read table {table}: {str(error).strip()}") from error
