"""Queries for the read set of a batch: one per table, sent in one pipeline and read later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from domain.journal import JournalEntry
from domain.lifecycle import created_id
from domain.log_identity import log_identity
from domain.model import Draft, Signal
from domain.read_set import may_change_projection, may_reorder
from domain.signals import recorded_id
from domain.undo import target_command_id
from domain.undo_image import undo_image
from runtime.postgres import Connection
from schemas.command import Command, Refused
from schemas.payloads import (
    CREATE,
    DEAL_UPSERT,
    DELETE,
    ENTITY_ERASE,
    ENTITY_UPSERT,
    FIX,
    FLAG_SET,
    RECOMPUTE_NEXT,
    TYPE_UPSERT,
    UNDO,
)
from schemas.signal_payloads import DRAFT_PAYLOADS, SIGNAL_PAYLOADS, SIGNAL_RECORD
from sinks.array_literals import number_array, plain_array, text_array
from sinks.journal_rows import ENTRY
from sinks.pipelined import pipelined
from sinks.records import DEALS, DRAFTS, ENTITIES, ERASED, INTERACTIONS, OUTCOMES, SIGNALS

Cursor = psycopg.Cursor[tuple[Any, ...]]
Journal = Mapping[tuple[str, str, str], JournalEntry]
DICTIONARY_LOCK: Final = 0x1A7E0002

_I: Final = INTERACTIONS.selection("i")

_JOURNAL_SQL: Final = f"""
SELECT {ENTRY} FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS w (tenant, organization, command)
JOIN journal j ON j.tenant_id = w.tenant AND j.organization_id = w.organization AND j.command_id = w.command
"""  # noqa: S608 - our own column names

_ENTITIES_SQL: Final = f"""
SELECT {ENTITIES.selection("e")} FROM customer_entities e
WHERE e.id = ANY(%s::uuid[]) ORDER BY e.id FOR NO KEY UPDATE
"""  # noqa: S608 - our own column names

_INTERACTIONS_SQL: Final = f"SELECT {_I} FROM customer_interactions i WHERE i.id = ANY(%s::uuid[])"  # noqa: S608

# The first m+1 candidates of an entity with m commands that may move one are enough: each command removes at
# most one stored candidate, so the best of the untouched ones is always among those loaded. The first one is
# needed even where commands only add (m = 0). Hazard: taking it from the stored projection instead would
# publish a wrong projection again.
_CANDIDATES_SQL: Final = f"""
SELECT {_I} FROM unnest(%s::uuid[], %s::int[]) AS w (entity, top), LATERAL (
  SELECT * FROM customer_interactions p
  WHERE p.entity_id = w.entity AND p.status = 'planned' AND p.scheduled_at IS NOT NULL
  ORDER BY p.scheduled_at, p.priority DESC NULLS LAST, p.created_at, p.id LIMIT w.top
) i
UNION ALL
SELECT {_I} FROM unnest(%s::uuid[], %s::int[]) AS w (entity, top), LATERAL (
  SELECT * FROM customer_interactions d
  WHERE d.entity_id = w.entity AND d.status = 'done' AND d.occurred_at IS NOT NULL
  ORDER BY d.occurred_at DESC, d.created_at DESC, d.id DESC LIMIT w.top
) i
"""  # noqa: S608 - our own column names

_DEALS_SQL: Final = f"SELECT {DEALS.selection('d')} FROM customer_deals d WHERE d.id = ANY(%s::uuid[])"  # noqa: S608

# A signal that is named by a command, and all signals of an interaction that is deleted.
_SIGNALS_SQL: Final = f"""
SELECT {SIGNALS.selection("s")} FROM signals s WHERE s.id = ANY(%s::uuid[])
UNION
SELECT {SIGNALS.selection("s")} FROM signals s WHERE s.interaction_id = ANY(%s::uuid[])
"""  # noqa: S608 - our own column names

_DRAFTS_SQL: Final = f"""
SELECT {DRAFTS.selection("d")} FROM generated_drafts d WHERE d.id = ANY(%s::uuid[])
UNION
SELECT {DRAFTS.selection("d")} FROM generated_drafts d WHERE d.interaction_id = ANY(%s::uuid[])
"""  # noqa: S608 - our own column names

_OUTCOMES_SQL: Final = f"""
SELECT {OUTCOMES.selection("o")} FROM signal_outcomes o WHERE o.interaction_id = ANY(%s::uuid[])
"""  # noqa: S608 - our own column names

# Everything of the customers that are erased. Hazard: with all their columns, in memory; a customer has
# thousands of rows at most.
_OF_ERASED: Final = {
    name: f"SELECT {record.selection('r')} FROM {table} r WHERE r.entity_id = ANY(%s::uuid[])"  # noqa: S608
    for name, record, table in (
        ("interactions", INTERACTIONS, "customer_interactions"),
        ("deals", DEALS, "customer_deals"),
        ("signals", SIGNALS, "signals"),
        ("drafts", DRAFTS, "generated_drafts"),
        ("outcomes", OUTCOMES, "signal_outcomes"),
    )
}
_ERASED_SQL: Final = f"""
SELECT {ERASED.selection("e")} FROM erased_entities e WHERE e.entity_id = ANY(%s::uuid[])
"""  # noqa: S608 - our own column names

_DICTIONARIES_SQL: Final = """
SELECT w.tenant, w.organization, d.strict, t.code, t.label, t.icon, t.color, t.actionable
FROM unnest(%b::text[], %b::text[]) AS w (tenant, organization)
LEFT JOIN interaction_dictionaries d
  ON d.tenant_id = w.tenant::uuid AND d.organization_id = w.organization::uuid
LEFT JOIN interaction_types t
  ON t.tenant_id = w.tenant::uuid AND t.organization_id = w.organization::uuid
"""

# Also of the months that retention has dropped, and of erased customers.
_RETIRED_SQL: Final = """
SELECT d.interaction_id, max(d.retired_version) FROM (
  SELECT interaction_id, retired_version FROM journal
  WHERE interaction_id = ANY(%s::uuid[]) AND retired_version IS NOT NULL
  UNION ALL
  SELECT interaction_id, retired_version FROM dropped_deletions WHERE interaction_id = ANY(%s::uuid[])
  UNION ALL
  SELECT interaction_id, version FROM erased_interactions WHERE interaction_id = ANY(%s::uuid[])
) d GROUP BY d.interaction_id
"""

_RECOUNT_SQL: Final = """
SELECT entity_id, count(*) FILTER (WHERE status = 'planned'),
       count(*) FILTER (WHERE status = 'planned' AND due_phase = 2), count(*) FILTER (WHERE status = 'done')
FROM customer_interactions WHERE entity_id = ANY(%s::uuid[]) GROUP BY entity_id
"""


class ReadSetQueries:
    """Queries for everything but the journal, as cursors whose rows are not yet read."""

    def __init__(self, connection: Connection, commands: Sequence[Command], journal: Journal) -> None:
        """Send the queries.

        :param journal: entries of the commands that are undone.
        """
        candidates = Counter(
            {command.envelope.entity_id: 1 for command in commands if may_change_projection(command)}
        )
        candidates.update(command.envelope.entity_id for command in commands if may_reorder(command))
        entities = sorted({command.envelope.entity_id for command in commands})
        needed = _referenced(commands, journal)
        self.recounted = {
            command.envelope.entity_id for command in commands if command.envelope.type == RECOMPUTE_NEXT
        }
        self.candidates: Iterable[tuple[Any, ...]] = ()
        erased = {command.envelope.entity_id for command in commands if command.envelope.type == ENTITY_ERASE}
        self.named = {
            command.envelope.entity_id
            for command in commands
            if command.envelope.type not in (TYPE_UPSERT, FLAG_SET)
        }
        #: Name of the set → all rows of the customers to erase.
        self.of_erased: dict[str, Iterable[tuple[Any, ...]]] = {}
        with pipelined(connection):
            self.dictionaries = _request_dictionaries(connection, commands)
            self.entities = connection.execute(_ENTITIES_SQL, (plain_array(entities),))
            # Hazard: after the entities, which are locked by then; each query has its own snapshot.
            self.interactions = _request(connection, _INTERACTIONS_SQL, needed.interactions)
            if candidates:
                movers, limits = plain_array(candidates), number_array(candidates.values())
                self.candidates = connection.execute(_CANDIDATES_SQL, (movers, limits, movers, limits))
            self.deleted_versions = _request(connection, _RETIRED_SQL, needed.interactions, times=3)
            self.deals = _request(connection, _DEALS_SQL, needed.deals)
            self.signals = _request_children(connection, _SIGNALS_SQL, needed.signals, needed.with_signals)
            self.drafts = _request_children(connection, _DRAFTS_SQL, needed.drafts, needed.with_drafts)
            self.outcomes = _request(connection, _OUTCOMES_SQL, needed.with_drafts)
            self.counts = _request(connection, _RECOUNT_SQL, self.recounted)
            for name, statement in _OF_ERASED.items():
                self.of_erased[name] = _request(connection, statement, erased)


def request_erased(connection: Connection, missing: set[str]) -> Iterable[tuple[Any, ...]]:
    """Query the erasures of customers that have no row.

    Hazard: after the query of the rows, whose locks end when their erasure is committed.
    """
    return _request(connection, _ERASED_SQL, missing)


def request_interactions(
    connection: Connection, ids: set[str]
) -> tuple[Iterable[tuple[Any, ...]], Iterable[tuple[Any, ...]]]:
    """Query interactions by id, and the last versions of those that were deleted."""
    with pipelined(connection):
        rows = _request(connection, _INTERACTIONS_SQL, ids)
        return rows, _request(connection, _RETIRED_SQL, ids, times=3)


def request_journal(connection: Connection, commands: Sequence[Command | Refused]) -> Cursor:
    """Query the entries of the commands themselves and of the commands that they undo."""
    wanted: dict[tuple[str, str, str], None] = {}
    for command in commands:
        wanted[log_identity(command)] = None
        if isinstance(command, Command) and command.envelope.type == UNDO:
            target = target_command_id(command)
            if target is not None:
                wanted[command.envelope.tenant_id, command.envelope.organization_id, target] = None
    tenants, organizations, ids = zip(*wanted, strict=True)
    return connection.execute(
        _JOURNAL_SQL, (plain_array(tenants), plain_array(organizations), text_array(ids))
    )


def _request_dictionaries(connection: Connection, commands: Iterable[Command]) -> Cursor:
    scopes: dict[tuple[str, str], bool] = {}
    for command in commands:
        scope = command.envelope.tenant_id, command.envelope.organization_id
        scopes[scope] = scopes.get(scope, False) or command.envelope.type == TYPE_UPSERT
    # A label change must not overtake a projection that was computed with the old label and is not committed
    # yet. Readers of a dictionary hold its lock shared, a writer exclusive, in a fixed order.
    locks: dict[int, bool] = {}
    for scope, exclusive in scopes.items():
        key = hash_scope(*scope)
        locks[key] = locks.get(key, False) or exclusive
    if any(locks.values()):
        for key in sorted(locks):
            function = "pg_advisory_xact_lock" if locks[key] else "pg_advisory_xact_lock_shared"
            connection.execute(f"SELECT {function}(%b::int, %b::int)", (DICTIONARY_LOCK, key))
    else:
        connection.execute(
            "SELECT pg_advisory_xact_lock_shared(%b::int, w.key) FROM unnest(%b::int[]) AS w (key)",
            (DICTIONARY_LOCK, sorted(locks)),
        )
    tenants, organizations = (list(column) for column in zip(*scopes, strict=True))
    return connection.execute(_DICTIONARIES_SQL, (tenants, organizations))


def hash_scope(tenant_id: str, organization_id: str) -> int:
    """Return the signed 32-bit lock key of a scope; scopes that share a key only wait for each other."""
    value = (int(tenant_id[:8], 16) * 31 + int(organization_id[:8], 16)) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


@dataclass(slots=True)
class _Referenced:
    """Ids that commands, or the commands they undo, refer to.

    :ivar with_signals: interactions whose signals are all needed; ``with_drafts``: also drafts and outcomes.
    """

    interactions: set[str] = field(default_factory=set)
    deals: set[str] = field(default_factory=set)
    signals: set[str] = field(default_factory=set)
    drafts: set[str] = field(default_factory=set)
    with_signals: set[str] = field(default_factory=set)
    with_drafts: set[str] = field(default_factory=set)


def _referenced(commands: Sequence[Command], journal: Journal) -> _Referenced:
    found = _Referenced()
    for command in commands:
        kind, payload = command.envelope.type, command.payload
        target_id = getattr(payload, "id", None)
        if kind == UNDO:
            _add_undone(found, command, journal)
        elif kind in SIGNAL_PAYLOADS:
            found.signals.add(target_id if target_id is not None else recorded_id(command))
            if kind == SIGNAL_RECORD:
                found.interactions.add(payload.interaction_id)  # type: ignore[attr-defined]
                found.with_signals.add(payload.interaction_id)  # type: ignore[attr-defined]
        elif kind in DRAFT_PAYLOADS:
            found.drafts.add(target_id)  # type: ignore[arg-type]
        elif kind == DEAL_UPSERT:
            found.deals.add(target_id)  # type: ignore[arg-type]
        elif target_id is not None and kind not in (ENTITY_UPSERT, ENTITY_ERASE):
            found.interactions.add(target_id)
        elif kind == CREATE:
            found.interactions.add(created_id(command))
        if kind == DELETE:
            found.with_signals.add(target_id)  # type: ignore[arg-type]
            found.with_drafts.add(target_id)  # type: ignore[arg-type]
        elif kind == FIX:
            found.signals.update(fix.id for fix in payload.signals)  # type: ignore[attr-defined]
        for planned in (payload, getattr(payload, "next", None)):
            deal = getattr(planned, "deal_id", None)
            if deal is not None:
                found.deals.add(deal)
    return found


def _add_undone(found: _Referenced, command: Command, journal: Journal) -> None:
    target = target_command_id(command)
    scope = command.envelope.tenant_id, command.envelope.organization_id
    entry = journal.get((*scope, target)) if target is not None else None
    if entry is None or entry.interaction_id is None:
        return
    step = entry.facts.step
    for ids in (found.interactions, found.with_signals, found.with_drafts):
        ids.add(entry.interaction_id)
        if step is not None:
            ids.add(step.row.id)
    # By id too: another customer may use the id of a row that was deleted.
    for change in entry.facts.changes:
        if isinstance(change.row, Signal):
            found.signals.add(change.row.id)
        elif isinstance(change.row, Draft):
            found.drafts.add(change.row.id)
    image = undo_image(entry)
    if image is not None and image.before is not None and image.before.deal_id is not None:
        found.deals.add(image.before.deal_id)


def _request_children(
    connection: Connection, statement: str, ids: set[str], interactions: set[str]
) -> Iterable[tuple[Any, ...]]:
    """Query rows by id and by interaction; send nothing without either."""
    if not ids and not interactions:
        return ()
    return connection.execute(statement, (plain_array(ids), plain_array(interactions)))


def _request(
    connection: Connection, statement: str, ids: set[str], times: int = 1
) -> Iterable[tuple[Any, ...]]:
    """Query rows by id; send nothing without ids.

    :param times: number of parameters of the statement, all with the ids.
    """
    return connection.execute(statement, (plain_array(ids),) * times) if ids else ()
