"""Outbox rows: events of a decision, and follow-up commands after a type was relabelled."""

from __future__ import annotations

from typing import Any, Final

import orjson

from domain.decision import Decision
from domain.recompute import relabel_command_id
from runtime.postgres import Connection
from schemas.cloudevent_headers import JSON, event_headers
from schemas.instants import format_instant
from schemas.sources import PIPELINE

_AFFECTED_SQL: Final = """
SELECT e.id FROM customer_entities e JOIN customer_interactions i ON i.id = e.next_interaction_ref_id
WHERE e.tenant_id = %s AND e.organization_id = %s AND i.interaction_type = %s
UNION
SELECT e.id FROM customer_entities e JOIN customer_interactions i ON i.id = e.last_interaction_ref_id
WHERE e.tenant_id = %s AND e.organization_id = %s AND i.interaction_type = %s
ORDER BY 1
"""


def outbox_rows(decision: Decision) -> list[tuple[Any, ...]]:
    """Build one row per event, in the order of ``OUTBOX``."""
    command = decision.command
    envelope = command.envelope
    rows = []
    for event in decision.events:
        subject = decision.interaction_id if event.ordinal == 0 else envelope.entity_id
        headers = event_headers(
            None,
            source=PIPELINE,
            time=format_instant(command.appended_at),
            tenantid=envelope.tenant_id,
            organizationid=envelope.organization_id,
            entityid=envelope.entity_id,
            causationid=envelope.id,
            correlationid=envelope.correlation_id or envelope.id,
            syncorigin=envelope.sync_origin,
            actorid=envelope.actor_id,
            traceparent=envelope.traceparent,
            id=event.id,
            type=event.type,
            subject=subject,
            sequence=f"{(decision.entity_version or 0) * 10 + event.ordinal:020d}",
        )
        rows.append(
            (
                event.id,
                "interaction" if event.ordinal == 0 else "next-interaction",
                envelope.entity_id,
                event.type,
                orjson.dumps(event.payload).decode(),
                envelope.tenant_id,
                envelope.organization_id,
                orjson.dumps(headers).decode(),
            )
        )
    return rows


def relabel_rows(connection: Connection, decision: Decision) -> list[tuple[Any, ...]]:
    """Build a ``recompute_next`` command per entity whose projection shows the type's old label.

    The commands go through the commands topic, so that each projection is written in its own partition's
    order by its single writer (ordering and single-writer invariants).
    """
    envelope = decision.command.envelope
    scope = (envelope.tenant_id, envelope.organization_id, decision.relabeled)
    assert envelope.tenant_id is not None
    assert envelope.organization_id is not None
    assert envelope.id is not None
    rows = []
    for (entity_id,) in connection.execute(_AFFECTED_SQL, (*scope, *scope)):
        command_id = relabel_command_id(envelope.tenant_id, envelope.organization_id, envelope.id, entity_id)
        headers = event_headers(
            JSON,
            source=PIPELINE,
            id=command_id,
            type="customers.interaction.recompute_next",
            time=format_instant(decision.command.appended_at),
            tenantid=envelope.tenant_id,
            organizationid=envelope.organization_id,
            entityid=entity_id,
            causationid=envelope.id,
            correlationid=envelope.correlation_id or envelope.id,
        )
        rows.append(
            (
                command_id,
                "command",
                entity_id,
                "customers.interaction.recompute_next",
                "{}",
                envelope.tenant_id,
                envelope.organization_id,
                orjson.dumps(headers).decode(),
            )
        )
    return rows
