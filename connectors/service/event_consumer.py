"""Faust agents: one marks the ledger for events, the other executes decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import faust
from mode import Service

from runtime.faust_agents import Agent, make_agents_app
from runtime.settings import Settings
from schemas.topics import EVENTS, INTEGRATION_DECISIONS

#: Takes the values of events (None: a tombstone) in order; returns once their change marks are committed.
MarkAll = Callable[[Sequence[bytes | None]], None]
#: Takes headers and values of decisions in order; returns once the decisions are executed.
DecideAll = Callable[[Sequence[tuple[Mapping[str, bytes | None], bytes | None]]], None]


def make_app(
    settings: Settings, service: Service, mark: MarkAll, decide: DecideAll, directory: Path
) -> faust.App:
    """Build the role's Faust app.

    :param mark: blocking; anything it raises ends the process. The same holds for ``decide``.
    """

    def mark_messages(messages: list[Any]) -> None:
        mark([message.value for message in messages])

    def decide_messages(messages: list[Any]) -> None:
        decide([(dict(message.headers or ()), message.value) for message in messages])

    agents = [
        Agent(EVENTS, "connectors.mark", mark_messages),
        Agent(INTEGRATION_DECISIONS, "connectors.decide", decide_messages),
    ]
    return make_agents_app("connectors", settings, service, agents, directory)
