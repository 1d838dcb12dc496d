"""Execute decisions on integrations and their warnings that people made over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog

from connectors.service.integration_changes import IntegrationChanges
from connectors.service.integration_events import IntegrationEvents
from connectors.service.integration_operations import Outcome, new_state, operate, refused
from connectors.service.open_session import utc_now
from connectors.service.provider_operations import ProviderOperations
from connectors.service.removal import removed_data
from connectors.store.integrations import Integration, read_integration
from connectors.store.removal import read_removed
from connectors.store.warnings import SyncWarning, lock_warnings
from connectors.sync.mirror_events import mapping_changed
from connectors.sync.resolution import resolve
from runtime.connector_settings import ConnectorSettings
from runtime.isolated import note_isolated
from runtime.isolation_limit import IsolationLimit
from runtime.outages import AskedToStopError
from runtime.postgres import Connection, Outage, sqlstate_of
from runtime.retrying_connection import RetryingConnection
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from schemas.instants import parse_instant
from schemas.integration_decisions import (
    DECISION_TYPES,
    Decision,
    IntegrationAddition,
    IntegrationChange,
    IntegrationOperation,
    IntegrationRemoval,
    Resolution,
    WarningsDecision,
)
from schemas.outgoing_record import OutgoingRecord

_log = structlog.get_logger("connectors")
_NEEDED: Final = ("ce_tenantid", "ce_organizationid", "ce_actorid", "ce_correlationid")

Headers = Mapping[str, bytes | None]
#: Headers and value of a record.
Message = tuple[Headers, bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """Decoded decision record.

    :param scope: tenant and organization.
    :param seen: warning id → time of its last change, as the person saw it.
    """

    scope: tuple[str, str]
    actor: str
    correlation_id: str
    decision: Decision
    seen: dict[str, datetime]


class DecisionHandler:
    """Handle decision records. Owns one connection; use it from one thread at a time.

    :param events: publishes the outcome of a decision.
    :param wake: set after a decision was executed.
    :param operations: executes the operations that contact a provider.
    """

    def __init__(
        self,
        settings: Settings,
        events: IntegrationEvents,
        stop: threading.Event,
        wake: threading.Event,
        connectors: ConnectorSettings | None = None,
        operations: ProviderOperations | None = None,
    ) -> None:
        self._connection = RetryingConnection(settings, "connectors", "decide", stop)
        self._stop = stop
        self._limit = IsolationLimit()
        self._events = events
        self._wake = wake
        chosen = connectors or ConnectorSettings()
        self._changes = IntegrationChanges(settings, chosen)
        self._operations = operations or ProviderOperations(settings, chosen, stop)

    def __call__(self, messages: Sequence[Message]) -> None:
        """Execute the decisions; return once they are committed and their outcomes are published.

        A record that is not a decision is logged and skipped. So is one on which the code itself fails: it is
        answered as refused, and must not stop the others.

        :raises Stop: too many decisions fail.
        :raises AskedToStopError: the role is stopping; the decision was not executed.
        """
        for headers, value in messages:
            try:
                self._connection.run(lambda connection, h=headers, v=value: self._decide(connection, h, v))  # type: ignore[misc]
            except (AskedToStopError, Stop):
                raise
            except Exception as error:
                if self._stop.is_set():
                    raise  # perhaps an effect of the end; the decision is read once more
                self._limit.isolate(error)
                # Hazard: the text of the error may contain a secret.
                state = sqlstate_of(error)
                note_isolated("connectors.decision_isolated", error=type(error).__name__, sqlstate=state)
            else:
                self._limit.passed(1)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _decide(self, connection: Connection, headers: Headers, value: bytes | None) -> None:
        try:
            request = _read(headers, value)
        except ValueError as error:
            # Log the type only: the text of a ValidationError contains the value.
            _log.error("connectors.no_decision", reason=type(error).__name__)
            return
        try:
            self._execute(connection, request)
        except (Retry, Stop, Outage):
            raise
        except Exception as error:
            self._fail(request, error)
            raise

    def _execute(self, connection: Connection, request: _Request) -> None:
        decision = request.decision
        integration = read_integration(connection, decision.integration_id)
        if integration is not None and (integration.tenant_id, integration.organization_id) != request.scope:
            integration = None
        if isinstance(decision, IntegrationRemoval):
            self._remove(connection, integration, request, decision)
        elif isinstance(decision, IntegrationAddition):
            added, outcome = self._changes.add(connection, request.scope, decision)
            self._answer("changed", added, outcome, request)
            self._wake.set()
        elif integration is None:
            _log.error("connectors.decision_elsewhere", tenant_id=request.scope[0])
        elif isinstance(decision, IntegrationChange):
            outcome = self._changes.change(connection, integration, decision)
            self._answer("changed", integration, outcome, request)
        elif isinstance(decision, IntegrationOperation):
            self._operate(connection, integration, request, decision)
        else:
            self._decide_warnings(connection, integration, request, decision)

    def _fail(self, request: _Request, error: Exception) -> None:
        """Log an unexpected error, and tell the caller, who would otherwise wait for an answer."""
        decision, scope = request.decision, request.scope
        _log.error(
            "connectors.decision_failed",
            integration=decision.integration_id,
            tenant=scope[0],
            organization=scope[1],
            kind=type(decision).__name__,
            reason=type(error).__name__,
        )
        if isinstance(decision, WarningsDecision):
            return  # its outcome cannot express a refusal: the caller gets a 504
        detail = f"An unexpected error ({type(error).__name__}) occurred; the log of the connectors names it."
        named = Integration(
            id=decision.integration_id,
            tenant_id=scope[0],
            organization_id=scope[1],
            provider=decision.provider if isinstance(decision, IntegrationAddition) else "",
            settings={},
            policy={},
            secrets=b"",
            secrets_key_id="",
            state="disabled",
        )
        self._answer("changed", named, refused("internal_error", detail), request)

    def _remove(
        self,
        connection: Connection,
        integration: Integration | None,
        request: _Request,
        decision: IntegrationRemoval,
    ) -> None:
        def publish(former: Integration, outcome: dict[str, Any]) -> None:
            removal = self._events.record("state_changed", former, None, removed_data(former))
            self._answer("changed", former, outcome, request, before=[removal])

        if integration is not None:
            found = integration
            self._changes.remove(connection, found, lambda outcome: publish(found, outcome))
            return
        # Removed already: the outcome was not published, or the record is read again.
        removed = read_removed(connection, *request.scope, decision.integration_id)
        if removed is None:
            _log.error("connectors.decision_elsewhere", tenant_id=request.scope[0])
            return
        former, mirrors = removed
        publish(former, {"outcome": "removed", "mirrorsLeft": mirrors})

    def _operate(
        self,
        connection: Connection,
        integration: Integration,
        request: _Request,
        decision: IntegrationOperation,
    ) -> None:
        """Execute an operation; one that contacts the provider is answered later, from another thread."""

        def answer(current: Integration, outcome: Outcome) -> None:
            changed = outcome.get("state") if decision.operation in ("pause", "resume", "start") else None
            before = (
                [self._events.record("state_changed", current, None, new_state(current, changed))]
                if changed is not None
                else []
            )
            self._answer("changed", current, outcome, request, before=before)
            self._wake.set()

        if decision.operation in ("pause", "resume", "retry"):
            answer(integration, operate(connection, integration, decision))
        elif not self._operations.submit(integration, decision, answer):
            answer(integration, refused("busy", "Too many operations are waiting. Nothing was done; retry."))

    def _decide_warnings(
        self, connection: Connection, integration: Integration, request: _Request, decision: WarningsDecision
    ) -> None:
        decided = self._taken(connection, integration, request, decision.resolution)
        taken = {warning.id for warning in decided}
        left = [identity for identity in request.seen if identity not in taken]
        outcome = {"resolution": decision.resolution, "taken": sorted(taken), "left": left}
        # A retry or a chosen side changes the mirror's status, or detaches it.
        changed = [
            self._events.record(
                "mapping_changed",
                integration,
                warning.entity_id,
                mapping_changed(integration, warning.interaction_id, warning.entity_id),
            )
            for warning in decided
            if warning.interaction_id is not None and decision.resolution != "dismissed"
        ]
        self._answer("decided", integration, outcome, request, after=changed)
        self._wake.set()

    def _answer(
        self,
        kind: str,
        integration: Integration,
        outcome: dict[str, Any],
        request: _Request,
        *,
        before: Sequence[OutgoingRecord] = (),
        after: Sequence[OutgoingRecord] = (),
    ) -> None:
        answer = self._events.record(kind, integration, None, outcome, request.correlation_id)
        self._events.send([*before, answer, *after])

    def _taken(
        self,
        connection: Connection,
        integration: Integration,
        request: _Request,
        resolution: Resolution,
    ) -> list[SyncWarning]:
        """Warnings that the resolution applies to, now or when the same record was handled before."""
        seen = request.seen
        with connection.transaction():
            found = lock_warnings(connection, *request.scope, integration.id, list(seen))
            before = [
                one for one in found if (one.resolution, one.resolved_by) == (resolution, request.actor)
            ]
            as_seen = [one for one in found if one.state == "open" and one.updated_at == seen[one.id]]
            now = resolve(connection, as_seen, resolution, by=request.actor, now=utc_now())
        return [*before, *now]


def _read(headers: Headers, value: bytes | None) -> _Request:
    """Decode a decision record.

    :raises ValueError: the record is not a valid decision.
    """
    model = DECISION_TYPES.get((headers.get("ce_type") or b"").decode())
    if model is None:
        raise ValueError
    tenant, organization, actor, correlation = ((headers.get(name) or b"").decode() for name in _NEEDED)
    decision = model.model_validate_json(value or b"")
    if "\x00" in actor + decision.integration_id or not (actor and correlation):
        raise ValueError
    return _Request(
        scope=(str(UUID(tenant)), str(UUID(organization))),
        actor=actor,
        correlation_id=correlation,
        decision=decision,
        seen={one.id: parse_instant(one.updated_at) for one in getattr(decision, "warnings", ())},
    )
