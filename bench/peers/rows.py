"""Input of the peers of P4: the interaction as a flat JSON row, and a table for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from bench.workload import Message, stable_id
from runtime.postgres import Connection

TABLE: Final = "peer_interactions"
#: Column → Kafka Connect type and schema name, by which Debezium recognizes UUIDs and instants.
COLUMNS: Final[dict[str, tuple[str, str | None]]] = {
    "id": ("string", "io.debezium.data.Uuid"),
    "tenant_id": ("string", "io.debezium.data.Uuid"),
    "organization_id": ("string", "io.debezium.data.Uuid"),
    "entity_id": ("string", "io.debezium.data.Uuid"),
    "interaction_type": ("string", None),
    "title": ("string", None),
    "body": ("string", None),
    "status": ("string", None),
    "scheduled_at": ("string", "io.debezium.time.ZonedTimestamp"),
    "priority": ("int32", None),
    "version": ("int64", None),
    "schedule_version": ("int64", None),
    "due_phase": ("int16", None),
    "status_as_of": ("string", "io.debezium.time.ZonedTimestamp"),
    "scheduled_as_of": ("string", "io.debezium.time.ZonedTimestamp"),
    "occurred_as_of": ("string", "io.debezium.time.ZonedTimestamp"),
    "created_at": ("string", "io.debezium.time.ZonedTimestamp"),
    "updated_at": ("string", "io.debezium.time.ZonedTimestamp"),
}
_NOW: Final = "2026-06-01T09:00:00.000000Z"


def make_table(connection: Connection) -> None:
    """Create a table with the columns, indexes and settings of ``customer_interactions``, but without foreign
    keys, which spares the peers their checks."""
    connection.execute(f"CREATE TABLE {TABLE} (LIKE customer_interactions INCLUDING ALL)")
    connection.commit()


def rows_of(creates: Sequence[Message]) -> list[Message]:
    """Resulting row of each create command, under the same key."""
    return [Message(message.key, orjson.dumps(_row(orjson.loads(message.value)))) for message in creates]


def last_rows(partitions: int, run: str) -> tuple[list[Message], list[str]]:
    """One sentinel row per partition, sent last: when all are stored, everything is."""
    ids = [stable_id("last", run, number) for number in range(partitions)]
    event: dict[str, Any] = {
        "tenantid": ids[0], "organizationid": ids[0], "entityid": ids[0], "id": "",
        "data": {"interactionType": "call", "title": "last", "body": "", "scheduledAt": _NOW, "priority": 0},
    }  # fmt: skip
    return [Message(b"last", orjson.dumps({**_row(event), "id": identity})) for identity in ids], ids


def connect_schema() -> str:
    """Schema of the rows for Kafka Connect's JsonConverter (KIP-1054: not repeated in every record)."""
    fields = [
        {
            "field": name,
            "type": kind,
            "optional": name != "id",
            **({"name": meaning, "version": 1} if meaning else {}),
        }
        for name, (kind, meaning) in COLUMNS.items()
    ]
    return orjson.dumps(
        {"type": "struct", "name": "interaction", "optional": False, "fields": fields}
    ).decode()


def _row(event: dict[str, Any]) -> dict[str, Any]:
    data = event["data"]
    return {
        "id": stable_id("peer", event["id"]),
        "tenant_id": event["tenantid"],
        "organization_id": event["organizationid"],
        "entity_id": event["entityid"],
        "interaction_type": data["interactionType"],
        "title": data["title"],
        "body": data["body"],
        "status": "planned",
        "scheduled_at": data["scheduledAt"],
        "priority": data["priority"],
        "version": 1,
        "schedule_version": 1,
        "due_phase": 0,
        **dict.fromkeys(
            ("status_as_of", "scheduled_as_of", "occurred_as_of", "created_at", "updated_at"), _NOW
        ),
    }
