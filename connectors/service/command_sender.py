"""A pulled command as a Kafka record: CloudEvents binary mode, JSON."""

from __future__ import annotations

from datetime import datetime

import orjson

from connectors.sync.inbound_commands import InboundCommand
from schemas.instants import format_instant
from schemas.sources import CONNECTORS

Headers = list[tuple[str, str | bytes | None]]


def command_record(
    command: InboundCommand, now: datetime
) -> tuple[str, bytes, list[tuple[str, str | bytes | None]]]:
    """Key, value and headers of the record."""
    headers: Headers = [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        ("ce_id", command.id),
        ("ce_source", CONNECTORS),
        ("ce_type", command.type),
        ("ce_time", format_instant(now)),
        ("ce_tenantid", command.tenant_id),
        ("ce_organizationid", command.organization_id),
        ("ce_entityid", command.entity_id),
        ("ce_syncorigin", command.sync_origin),
    ]
    return command.entity_id, orjson.dumps(dict(command.data)), headers
