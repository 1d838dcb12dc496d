"""Publish inbound commands as Kafka records: CloudEvents binary mode, JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import orjson

from connectors.sync.inbound_commands import Ends, InboundCommand, SendCommands
from runtime.acknowledged_sender import AcknowledgedSender
from schemas.cloudevent_headers import JSON, event_headers
from schemas.instants import format_instant
from schemas.outgoing_record import OutgoingRecord
from schemas.sources import CONNECTORS
from schemas.topics import COMMANDS


def command_sender(sender: AcknowledgedSender, now: Callable[[], datetime]) -> SendCommands:
    """Return a function that publishes commands through ``sender``."""

    def send(commands: Sequence[InboundCommand]) -> Ends:
        ends = sender.send([command_record(command, now()) for command in commands])
        return {partition: end for (_, partition), end in ends.items()}

    return send


def command_record(command: InboundCommand, now: datetime) -> OutgoingRecord:
    """Build the record of a command."""
    headers = event_headers(
        JSON,
        id=command.id,
        source=CONNECTORS,
        type=command.type,
        time=format_instant(now),
        tenantid=command.tenant_id,
        organizationid=command.organization_id,
        entityid=command.entity_id,
        syncorigin=command.sync_origin,
    )
    return OutgoingRecord(COMMANDS, command.entity_id, orjson.dumps(dict(command.data)), headers)
