"""Publish inbound commands as Kafka records: CloudEvents binary mode, JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import orjson

from connectors.producer import AcknowledgedSender, Headers, OutRecord
from connectors.sync.inbound_commands import InboundCommand, SendCommands
from schemas.instants import format_instant
from schemas.sources import CONNECTORS
from schemas.topics import COMMANDS


def command_sender(sender: AcknowledgedSender, now: Callable[[], datetime]) -> SendCommands:
    """Return a function that publishes commands through ``sender``."""

    def send(commands: Sequence[InboundCommand]) -> None:
        sender.send([OutRecord(COMMANDS, *command_record(command, now())) for command in commands])

    return send


def command_record(command: InboundCommand, now: datetime) -> tuple[str, bytes, Headers]:
    """Key, value and headers of a command's record."""
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
