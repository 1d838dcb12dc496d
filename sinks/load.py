"""Load the read set of a batch under lock: one query per table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
import psycopg

from domain.lifecycle import created_id
from domain.log_identity import log_identity
from domain.model import Dictionary, LogEntry, TypeEntry
from domain.read_set import may_change_projection, may_reorder
from domain.undo import target_command_id
from domain.unit_of_work import UnitOfWork
from runtime.postgres import Connection
from schemas.command import Command, Refused
from schemas.payloads import InteractionRecomputeNext, InteractionTypeUpsert, InteractionUndo
from sinks.array_literals import number_array, plain_array, text_array
from sinks.columns import DEAL, ENTITY, INTERACTION, deal_of, entity_of, interaction_of
from sinks.flag_rows import load_flags
from sinks.pipelined import pipelined

Cursor = psycopg.Cursor[tuple[Any, ...]]
_DICTIONARY_LOCK: Final = 0x1A7E0002

_I: Final = ", ".join(f"i.{name}" for name in INTERACTION)

_LOG_SQL: Final = """
SELECT l.tenant_id, l.organization_id, l.command_id, l.command_type, l.entity_id, l.interaction_id,
       l.fingerprint, l.outcome, l.result::text, CASE WHEN w.undo THEN l.undo::text END,
       l.partition, l."offset"
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %b::bool[]) AS w (tenant, organization, command, undo)
JOIN command_log l ON l.tenant_id = w.tenant AND l.organization_id = w.organization
 AND l.command_id = w.command
"""

_ENTITIES_SQL: Final = f"""
SELECT {", ".join(ENTITY)} FROM customer_entities
WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608 - our own column names

_INTERACTIONS_SQL: Final = f"SELECT {_I} FROM customer_interactions i WHERE i.id = ANY(%s::uuid[])"  # noqa: S608

# The first m+1 candidates of an entity with m commands that may move one are enough: each takes away at
# most one stored candidate, so the best of the untouched ones is always among those loaded. The first one is
# needed even where commands only add (m = 0). Hazard: to take the stored projection's word for it would
# publish a wrong one again.
_FIRST_SQL: Final = f"""
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

_DEALS_SQL: Final = f"SELECT {', '.join(DEAL)} FROM customer_deals WHERE id = ANY(%s::uuid[])"  # noqa: S608

_DICTIONARIES_SQL: Final = """
SELECT w.tenant, w.organization, d.strict, t.code, t.label, t.icon, t.color, t.actionable
FROM unnest(%b::text[], %b::text[]) AS w (tenant, organization)
LEFT JOIN interaction_dictionaries d
  ON d.tenant_id = w.tenant::uuid AND d.organization_id = w.organization::uuid
LEFT JOIN interaction_types t
  ON t.tenant_id = w.tenant::uuid AND t.organization_id = w.organization::uuid
"""

_RETIRED_SQL: Final = """
SELECT interaction_id, max(retired_version) FROM command_log
WHERE interaction_id = ANY(%s::uuid[]) AND retired_version IS NOT NULL GROUP BY interaction_id
"""

_RECOUNT_SQL: Final = """
SELECT entity_id, count(*) FILTER (WHERE status = 'planned'),
       count(*) FILTER (WHERE status = 'planned' AND due_phase = 2), count(*) FILTER (WHERE status = 'done')
FROM customer_interactions WHERE entity_id = ANY(%s::uuid[]) GROUP BY entity_id
"""


class Prefetch:
    """Read set of a few commands, requested in one round trip and not yet read."""

    def __init__(self, connection: Connection, commands: Sequence[Command | Refused]) -> None:
        """Send the queries; inside the batch transaction, after its partition locks."""
        sound = [command for command in commands if isinstance(command, Command)]
        # The rows that an undo needs are known from the log only.
        known = sound and not any(isinstance(command.payload, InteractionUndo) for command in sound)
        with pipelined(connection):
            self.log = _request_log(connection, commands)
            self.rest = _ReadSet(connection, sound, {}) if known else None


def load_read_set(
    connection: Connection, commands: Sequence[Command | Refused], prefetch: Prefetch | None = None
) -> UnitOfWork:
    """Lock and load what the rules need to decide the commands, in a fixed number of queries.

    Must run inside the batch transaction, after its partition locks. Entity rows are locked in id
    order, so that two appliers whose partitions share an entity (publishers with another
    partitioner) take turns and never deadlock.

    :param prefetch: requested before, for these commands and perhaps others.
    """
    work = UnitOfWork()
    _read_log(work, prefetch.log if prefetch is not None else _request_log(connection, commands))
    fresh = [
        command
        for command in commands
        if isinstance(command, Command) and log_identity(command) not in work.log
    ]
    if fresh:
        load_flags(connection, work, fresh)
        rest = prefetch.rest if prefetch is not None else None
        (rest or _ReadSet(connection, fresh, work.log)).take(work)
    return work


def _request_log(connection: Connection, commands: Sequence[Command | Refused]) -> Cursor:
    wanted: dict[tuple[str, str, str], bool] = {}
    for command in commands:
        wanted.setdefault(log_identity(command), False)
        if isinstance(command, Command) and isinstance(command.payload, InteractionUndo):
            target = target_command_id(command.payload)
            if target is not None:
                scope = command.envelope.tenant_id, command.envelope.organization_id
                wanted[*scope, target] = True
    tenants, organizations, ids = zip(*wanted, strict=True)
    images = list(wanted.values())
    return connection.execute(
        _LOG_SQL, (plain_array(tenants), plain_array(organizations), text_array(ids), images)
    )


def _read_log(work: UnitOfWork, rows: Cursor) -> None:
    for row in rows:
        work.log[row[0], row[1], row[2]] = LogEntry(
            command_id=row[2],
            command_type=row[3],
            entity_id=row[4] or "",
            interaction_id=row[5],
            fingerprint=row[6],
            outcome=row[7],
            result=orjson.loads(row[8]),
            undo=orjson.loads(row[9]) if row[9] is not None else None,
            partition=row[10],
            offset=row[11],
        )


def _request_dictionaries(connection: Connection, commands: Iterable[Command]) -> Cursor:
    scopes: dict[tuple[str, str], bool] = {}
    for command in commands:
        scope = command.envelope.tenant_id, command.envelope.organization_id
        scopes[scope] = scopes.get(scope, False) or isinstance(command.payload, InteractionTypeUpsert)
    # A label change must not pass a projection that was computed with the old label and is not yet
    # committed: readers of a dictionary hold its lock shared, a writer exclusive, in a fixed order.
    locks: dict[int, bool] = {}
    for scope, exclusive in scopes.items():
        key = hash_scope(*scope)
        locks[key] = locks.get(key, False) or exclusive
    if any(locks.values()):
        for key in sorted(locks):
            function = "pg_advisory_xact_lock" if locks[key] else "pg_advisory_xact_lock_shared"
            connection.execute(f"SELECT {function}(%b::int, %b::int)", (_DICTIONARY_LOCK, key))
    else:
        connection.execute(
            "SELECT pg_advisory_xact_lock_shared(%b::int, w.key) FROM unnest(%b::int[]) AS w (key)",
            (_DICTIONARY_LOCK, sorted(locks)),
        )
    tenants, organizations = (list(column) for column in zip(*scopes, strict=True))
    return connection.execute(_DICTIONARIES_SQL, (tenants, organizations))


def _read_dictionaries(work: UnitOfWork, rows: Cursor) -> None:
    for tenant, organization, strict, code, label, icon, color, actionable in rows:
        if strict is None and code is None:
            continue  # no dictionary of its own: the defaults apply
        dictionary = work.dictionaries.setdefault((tenant, organization), Dictionary(strict=bool(strict)))
        if code is not None:
            dictionary.entries[code] = TypeEntry(
                code=code, label=label, icon=icon, color=color, actionable=actionable
            )


def hash_scope(tenant_id: str, organization_id: str) -> int:
    """A signed 32-bit lock key of a scope; two scopes that share one only wait for each other."""
    value = (int(tenant_id[:8], 16) * 31 + int(organization_id[:8], 16)) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


class _ReadSet:
    """Everything but the log: requested in one pipeline, read into a unit of work afterwards."""

    def __init__(
        self, connection: Connection, commands: Sequence[Command], log: dict[tuple[str, str, str], LogEntry]
    ) -> None:
        """Send the queries.

        :param log: the entries of what the commands undo.
        """
        tops = Counter(
            {command.envelope.entity_id: 1 for command in commands if may_change_projection(command)}
        )
        tops.update(command.envelope.entity_id for command in commands if may_reorder(command))
        entities = sorted({command.envelope.entity_id for command in commands})
        named, deals = _named(commands, log)
        self._recounted = {
            command.envelope.entity_id
            for command in commands
            if isinstance(command.payload, InteractionRecomputeNext)
        }
        self._first: Iterable[tuple[Any, ...]] = ()
        with pipelined(connection):
            self._dictionaries = _request_dictionaries(connection, commands)
            self._entities = connection.execute(_ENTITIES_SQL, (plain_array(entities),))
            # Hazard: after the customers, which are locked by then; another snapshot than theirs.
            self._shown = _request(connection, _INTERACTIONS_SQL, named)
            if tops:
                movers, counts = plain_array(tops), number_array(tops.values())
                self._first = connection.execute(_FIRST_SQL, (movers, counts, movers, counts))
            self._retired = _request(connection, _RETIRED_SQL, named)
            self._deals = _request(connection, _DEALS_SQL, deals)
            self._recounts = _request(connection, _RECOUNT_SQL, self._recounted)

    def take(self, work: UnitOfWork) -> None:
        """Read the rows."""
        _read_dictionaries(work, self._dictionaries)
        for row in self._entities:
            work.entities[row[0]] = entity_of(row)
        for row in self._shown:
            work.load_interaction(interaction_of(row))
        for row in self._first:
            if row[0] not in work.interactions:
                work.load_interaction(interaction_of(row))
        for row in self._retired:
            if row[0] not in work.interactions:
                work.deleted_versions[row[0]] = row[1]
        for row in self._deals:
            work.deals[row[0]] = deal_of(row)
        work.recounts.update(dict.fromkeys(self._recounted, (0, 0, 0)))
        for row in self._recounts:
            work.recounts[row[0]] = (row[1], row[2], row[3])


def _named(
    commands: Sequence[Command], log: dict[tuple[str, str, str], LogEntry]
) -> tuple[set[str], set[str]]:
    """Ids of the interactions and deals that the commands name, or that the commands they undo changed."""
    interactions: set[str] = set()
    deals: set[str] = set()
    for command in commands:
        payload = command.payload
        if isinstance(payload, InteractionUndo):
            target = target_command_id(payload)
            scope = command.envelope.tenant_id, command.envelope.organization_id
            entry = log.get((*scope, target)) if target is not None else None
            if entry is not None and entry.interaction_id is not None:
                interactions.add(entry.interaction_id)
                if entry.undo and entry.undo["before"] and entry.undo["before"].get("deal_id"):
                    deals.add(entry.undo["before"]["deal_id"])
            continue
        target_id = getattr(payload, "id", None)
        if command.envelope.type == "customers.deal.upsert":
            deals.add(target_id)  # type: ignore[arg-type]
        elif target_id is not None and command.envelope.type != "customers.entity.upsert":
            interactions.add(target_id)
        elif command.envelope.type == "customers.interaction.create":
            interactions.add(created_id(command))
        if getattr(payload, "deal_id", None) is not None:
            deals.add(payload.deal_id)  # type: ignore[attr-defined]
    return interactions, deals


def _request(connection: Connection, statement: str, ids: set[str]) -> Iterable[tuple[Any, ...]]:
    """Request rows by id; nothing is sent without ids."""
    return connection.execute(statement, (plain_array(ids),)) if ids else ()
