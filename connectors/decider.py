"""Carries out what people decide on warnings elsewhere than on the command line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from connectors.integration_events import event_record
from connectors.links import utc_now
from connectors.mirror_events import mapping_changed
from connectors.patience import Patience
from connectors.resolution import resolve
from runtime.acknowledged_sender import OutRecord
from runtime.postgres import Connection
from runtime.settings import Settings
from schemas.instants import parse_instant
from schemas.integration_decisions import DECIDE, WarningsDecision
from sinks.sync_integrations import Integration, read_integration
from sinks.sync_warnings import SyncWarning, lock_warnings

_log = structlog.get_logger("connectors")
_NEEDED: Final = ("ce_tenantid", "ce_organizationid", "ce_actorid", "ce_correlationid")

Headers = Mapping[str, bytes | None]
#: Headers and value of a record.
Message = tuple[Headers, bytes | None]
Send = Callable[[Sequence[OutRecord]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A decision as it was read.

    :param scope: tenant and organization.
    :param seen: warning → when it was last changed, as the person saw it.
    """

    scope: tuple[str, str]
    actor: str
    correlation_id: str
    decision: WarningsDecision
    seen: dict[str, datetime]


class Decider:
    """One connection, one thread at a time.

    :param send: publishes what became of a decision; raises ``Retry`` while the broker is away.
    :param wake: set after something was decided.
    """

    def __init__(self, settings: Settings, send: Send, stop: threading.Event, wake: threading.Event) -> None:
        self._patience = Patience(settings, "decide", stop)
        self._send = send
        self._wake = wake

    def __call__(self, messages: Sequence[Message]) -> None:
        """Carry out the decisions; returns when they are committed and what became of them is published.

        A record that is no decision is logged and passed over.

        :raises Stop: asked to stop before it could be done.
        """
        for headers, value in messages:
            self._patience.carry_out(lambda connection, h=headers, v=value: self._decide(connection, h, v))  # type: ignore[misc]

    def close(self) -> None:
        """Close the connection."""
        self._patience.close()

    def _decide(self, connection: Connection, headers: Headers, value: bytes | None) -> None:
        try:
            asked = _read(headers, value)
        except ValueError as error:
            # The kind alone: the text of a ValidationError holds the value.
            _log.error("connectors.no_decision", reason=type(error).__name__)
            return
        integration = read_integration(connection, asked.decision.integration_id)
        if integration is None or (integration.tenant_id, integration.organization_id) != asked.scope:
            _log.error("connectors.decision_elsewhere", tenant_id=asked.scope[0])
            return
        decided = self._taken(connection, integration, asked)
        taken = {warning.id for warning in decided}
        left = [identity for identity in asked.seen if identity not in taken]
        told = {"resolution": asked.decision.resolution, "taken": sorted(taken), "left": left}
        # A retry or a side that was taken shows at the mirror: its status, or that it is gone.
        changed = [
            event_record(
                "mapping_changed",
                integration,
                warning.entity_id,
                mapping_changed(integration, warning.interaction_id, warning.entity_id),
            )
            for warning in decided
            if warning.interaction_id is not None and asked.decision.resolution != "dismissed"
        ]
        self._send([event_record("decided", integration, None, told, asked.correlation_id), *changed])
        self._wake.set()

    def _taken(self, connection: Connection, integration: Integration, asked: _Asked) -> list[SyncWarning]:
        """The warnings that took the decision, now or when it was made before."""
        resolution, seen = asked.decision.resolution, asked.seen
        with connection.transaction():
            found = lock_warnings(connection, *asked.scope, integration.id, list(seen))
            before = [one for one in found if (one.resolution, one.resolved_by) == (resolution, asked.actor)]
            as_seen = [one for one in found if one.state == "open" and one.updated_at == seen[one.id]]
            now = resolve(connection, as_seen, resolution, by=asked.actor, now=utc_now())
        return [*before, *now]


def _read(headers: Headers, value: bytes | None) -> _Asked:
    """:raises ValueError: it is no decision."""
    if headers.get("ce_type") != DECIDE.encode():
        raise ValueError
    tenant, organization, actor, correlation = ((headers.get(name) or b"").decode() for name in _NEEDED)
    decision = WarningsDecision.model_validate_json(value or b"")
    if "\x00" in actor + decision.integration_id or not (actor and correlation):
        raise ValueError
    return _Asked(
        scope=(str(UUID(tenant)), str(UUID(organization))),
        actor=actor,
        correlation_id=correlation,
        decision=decision,
        seen={warning.id: parse_instant(warning.updated_at) for warning in decision.warnings},
    )
