"""Carries out what people decide on warnings elsewhere than on the command line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from pydantic import ValidationError

from connectors.integration_events import event_record
from connectors.links import utc_now
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

#: Headers and value of a record.
Message = tuple[dict[str, bytes], bytes | None]
Send = Callable[[Sequence[OutRecord]], None]


class Decider:
    """One connection, one thread at a time.

    :param send: publishes what became of a decision; raises ``Retry`` while the broker is away.
    :param wake: set after something was decided.
    """

    def __init__(self, settings: Settings, send: Send, stop: threading.Event, wake: threading.Event) -> None:
        self._patience = Patience(settings, stop)
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

    def _decide(self, connection: Connection, headers: dict[str, bytes], value: bytes | None) -> None:
        given = [headers.get(name, b"").decode(errors="replace") for name in _NEEDED]
        try:
            decision = WarningsDecision.model_validate_json(value or b"")
        except ValidationError as error:
            _log.error("connectors.no_decision", kinds=sorted({item["type"] for item in error.errors()}))
            return
        if headers.get("ce_type") != DECIDE.encode() or not all(given):
            _log.error(
                "connectors.no_decision", missing=[n for n, g in zip(_NEEDED, given, strict=True) if not g]
            )
            return
        tenant_id, organization_id, actor, correlation_id = given
        integration = read_integration(connection, decision.integration_id)
        if integration is None or (integration.tenant_id, integration.organization_id) != (
            tenant_id,
            organization_id,
        ):
            _log.error(
                "connectors.decision_elsewhere", integration=decision.integration_id, tenant_id=tenant_id
            )
            return
        taken = self._taken(connection, integration, decision, actor)
        left = [seen.id for seen in decision.warnings if seen.id not in taken]
        told = {"resolution": decision.resolution, "taken": sorted(taken), "left": left}
        self._send([event_record("decided", integration, None, told, correlation_id)])
        self._wake.set()

    def _taken(
        self, connection: Connection, integration: Integration, decision: WarningsDecision, actor: str
    ) -> set[str]:
        """The ids of the warnings that took the decision, now or when this record was read before."""
        seen = {warning.id: parse_instant(warning.updated_at) for warning in decision.warnings}
        with connection.transaction():
            found = lock_warnings(
                connection, integration.tenant_id, integration.organization_id, integration.id, list(seen)
            )
            before = {one.id for one in found if _decided(one, decision, actor)}
            as_seen = [one for one in found if one.state == "open" and one.updated_at == seen[one.id]]
            now = resolve(connection, as_seen, decision.resolution, by=actor, now=utc_now())
        return before | {warning.id for warning in now}


def _decided(warning: SyncWarning, decision: WarningsDecision, actor: str) -> bool:
    return (warning.resolution, warning.resolved_by) == (decision.resolution, actor)
