"""Hears outcomes as soon as they are committed, for those who wait here for them."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from api.command_gateway import CommandGateway
from runtime.settings import Settings
from schemas.errors import Retry
from sinks.notify import outcomes

_log = structlog.get_logger("gateway")
_AGAIN_SECONDS: Final = 1.0


async def listen_for_outcomes(settings: Settings, commands: CommandGateway) -> None:
    """Pass on what the database tells until cancelled; while it is silent, the results topic alone tells."""
    while True:
        try:
            async for notice in outcomes(settings):
                commands.heard([notice])
        except Retry as silent:
            _log.warning("gateway.notices_unavailable", reason=str(silent))
        await asyncio.sleep(_AGAIN_SECONDS)
