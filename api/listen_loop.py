"""LISTEN loop: results by NOTIFY, one Kafka transaction earlier than on the results topic."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from api.command_gateway import CommandGateway
from api.reply_record import ReplyRecord
from runtime.settings import Settings
from schemas.errors import Retry
from sinks.notify import outcomes

_log = structlog.get_logger("gateway")
_RECONNECT_SECONDS: Final = 1.0


async def listen_for_outcomes(settings: Settings, commands: CommandGateway) -> None:
    """Pass notified results to the gateway until cancelled; reconnect after a failure.

    While the database is unavailable, results still arrive on the results topic.
    """
    while True:
        try:
            async for notice in outcomes(settings):
                record = ReplyRecord(correlation_id=notice.correlation_id, value=notice.value)
                commands.on_results([record])
        except Retry as failure:
            _log.warning("gateway.notices_unavailable", reason=str(failure))
        await asyncio.sleep(_RECONNECT_SECONDS)
