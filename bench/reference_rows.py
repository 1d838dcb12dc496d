"""The fixed reference of P1: rows as revision eba76ec stored them, 4.9 kB of write-ahead log per command.

A denominator that shrinks with the product's own rows would hide what the product saves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from domain.events import events_of
from domain.journal import Facts, JournalEntry
from domain.results import outcome_of
from runtime.postgres import Connection
from schemas.cloudevent_headers import event_headers
from schemas.events import NEXT_INTERACTION_UPDATED
from schemas.instants import format_instant
from schemas.sources import PIPELINE
from sinks.bulk_insert import BulkInsert

TABLES: Final = """
CREATE TABLE reference_log (
  tenant_id uuid NOT NULL, organization_id uuid NOT NULL, command_id text NOT NULL,
  logged_at timestamptz NOT NULL DEFAULT now(), command_type text NOT NULL, entity_id uuid,
  interaction_id uuid, "partition" integer NOT NULL, "offset" bigint NOT NULL, fingerprint bytea NOT NULL,
  outcome text NOT NULL, result json NOT NULL, undo json, entity_version bigint, retired_version bigint,
  actor_id text, sync_origin text, source_timestamp timestamptz, appended_at timestamptz NOT NULL,
  CHECK (outcome IN ('applied', 'rejected', 'no_op'))
) PARTITION BY RANGE (logged_at);
CREATE TABLE reference_log_now PARTITION OF reference_log DEFAULT;
CREATE UNIQUE INDEX ON reference_log_now (command_id, tenant_id, organization_id);
CREATE INDEX ON reference_log (interaction_id) WHERE retired_version IS NOT NULL;
CREATE TABLE reference_outbox (
  id uuid NOT NULL, aggregatetype text NOT NULL, aggregateid text NOT NULL, type text NOT NULL,
  payload json NOT NULL, position bigint GENERATED ALWAYS AS IDENTITY,
  xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text)::bigint, tenant_id uuid NOT NULL,
  organization_id uuid NOT NULL, headers json NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (created_at);
CREATE TABLE reference_outbox_now PARTITION OF reference_outbox DEFAULT;
CREATE INDEX ON reference_outbox (xid, position);
"""

_LOG: Final = BulkInsert(
    "reference_log",
    (
        "tenant_id", "organization_id", "command_id", "command_type", "entity_id", "interaction_id",
        "partition", "offset", "fingerprint", "outcome", "result", "undo", "entity_version",
        "source_timestamp", "appended_at",
    ),
    (
        "uuid", "uuid", "text", "text", "uuid", "uuid", "integer", "bigint", "bytea", "text", "json", "json",
        "bigint", "timestamptz", "timestamptz",
    ),
)  # fmt: skip
_OUTBOX: Final = BulkInsert(
    "reference_outbox",
    ("id", "aggregatetype", "aggregateid", "type", "payload", "tenant_id", "organization_id", "headers"),
    ("uuid", "text", "text", "text", "json", "uuid", "uuid", "json"),
)


class ReferenceRows:
    """COPY text of the log and outbox rows of some commands, ready to be sent."""

    def __init__(self, entries: Sequence[JournalEntry]) -> None:
        self._log = _LOG.text([_log_row(entry) for entry in entries])
        events = [row for entry in entries for row in _outbox_rows(entry)]
        self._outbox = _OUTBOX.text(events) if events else b""

    def copy(self, connection: Connection) -> None:
        """COPY the rows, inside the caller's transaction."""
        for rows, text in ((_LOG, self._log), (_OUTBOX, self._outbox)):
            rows.copy_text(connection, text)


def _log_row(entry: JournalEntry) -> tuple[Any, ...]:
    facts = entry.facts
    assert isinstance(facts, Facts)
    undo = {
        "before": None,
        "after_version": facts.version,
        "last_version": facts.version,
        "created_at": format_instant(entry.appended_at),
    }
    return (
        entry.tenant_id, entry.organization_id, entry.command_id, entry.command_type, entry.entity_id,
        entry.interaction_id, entry.partition, entry.offset, entry.fingerprint, entry.outcome,
        orjson.dumps({**outcome_of(entry), "first": None}).decode(), orjson.dumps(undo).decode(),
        entry.entity_version, entry.source_timestamp, entry.appended_at,
    )  # fmt: skip


def _outbox_rows(entry: JournalEntry) -> list[tuple[Any, ...]]:
    rows = []
    for event in events_of(entry):
        if event.sequence is None:
            continue  # revision eba76ec published no events of interaction types
        headers = event_headers(
            None,
            source=PIPELINE,
            time=format_instant(entry.appended_at),
            tenantid=entry.tenant_id,
            organizationid=entry.organization_id,
            entityid=entry.entity_id,
            causationid=entry.given_id,
            correlationid=entry.given_id,
            id=event.id,
            type=event.type,
            subject=event.subject,
            sequence=f"{event.sequence:020d}",
        )
        rows.append(
            (
                event.id, "next-interaction" if event.type == NEXT_INTERACTION_UPDATED else "interaction",
                entry.entity_id, event.type,
                orjson.dumps(event.payload).decode(), entry.tenant_id, entry.organization_id,
                orjson.dumps(headers).decode(),
            )
        )  # fmt: skip
    return rows
