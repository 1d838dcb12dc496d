"""Operations that contact the provider: preview the first sync, confirm it, test the connection.

They run in threads of their own, so that a slow provider never delays the decisions on other integrations.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from connectors.sdk.http_errors import bounded_pause
from connectors.service.integration_operations import Outcome, refused
from connectors.service.maintenance import TASK_SECONDS
from connectors.service.open_session import open_session, utc_now
from connectors.store.checkpoints import write_checkpoint
from connectors.store.integrations import Integration, read_integration, set_health
from connectors.sync.failure_policy import reason_of
from connectors.sync.inbound_commands import InboundCommand
from connectors.sync.initial_plan import InitialPlan, apply_plan, make_plan
from connectors.sync.mass_change_guard import count_deletions, exceeds_limit, explain
from connectors.sync.poller import poll
from connectors.sync.session import Session
from runtime.connector_settings import ConnectorSettings
from runtime.postgres import Connection, Outage
from runtime.secret_box import load_secret_box
from runtime.settings import Settings
from schemas.errors import NeedsAuth, Reject, Retry, Stop
from schemas.instants import format_instant
from schemas.integration_decisions import IntegrationOperation

_log = structlog.get_logger("connectors")
_MOST_WAITING: Final = 100
_WAIT_SECONDS: Final = 0.25
#: Pause after an operation whose integration has another one running was put back.
_TURN_SECONDS: Final = 0.02

#: Publish the outcome of an operation.
Answer = Callable[[Integration, Outcome], None]


@dataclass(frozen=True, slots=True)
class _Task:
    integration: Integration
    wanted: IntegrationOperation
    answer: Answer


class ProviderOperations:
    """Bounded queue of operations, and the body of the threads that execute them.

    An operation that is waiting or running when the process ends is lost without an answer. It changes
    nothing by halves, and its caller repeats it. An integration has one running operation at a time, so that
    it cannot take all threads.

    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        connectors: ConnectorSettings,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._connectors = connectors
        self._stopping = stopping
        self._tasks: queue.Queue[_Task] = queue.Queue(_MOST_WAITING)
        self._clock = clock
        self._lock = threading.Lock()
        #: Integration of each running operation → its start.
        self._running: dict[str, float] = {}

    def submit(self, integration: Integration, wanted: IntegrationOperation, answer: Answer) -> bool:
        """Queue an operation; ``False`` if too many are waiting.

        :param answer: called from another thread once the operation is done or refused.
        """
        with suppress(queue.Full):
            self._tasks.put_nowait(_Task(integration, wanted, answer))
            return True
        return False

    def run(self, connection: Connection) -> None:
        """Execute queued operations until the role stops.

        :raises Outage: the database is unavailable; the running operation is queued for another attempt.
        """
        while not self._stopping.is_set():
            with suppress(queue.Empty):
                task = self._tasks.get(timeout=_WAIT_SECONDS)
                if not self._begin(task.integration.id):
                    self._wait_its_turn(task)
                    continue
                try:
                    self.run_one(connection, task)
                finally:
                    self._end(task.integration.id)

    def longest_running(self) -> tuple[str, float] | None:
        """Integration and duration in seconds of the longest-running operation."""
        with self._lock:
            found = min(self._running.items(), key=lambda one: one[1], default=None)
            return None if found is None else (found[0], self._clock() - found[1])

    def reset_clocks(self) -> None:
        """Restart the clocks of all operations, because they waited for something other than a provider."""
        with self._lock:
            self._running = dict.fromkeys(self._running, self._clock())

    def _begin(self, integration_id: str) -> bool:
        with self._lock:
            if integration_id in self._running:
                return False
            self._running[integration_id] = self._clock()
            return True

    def _end(self, integration_id: str) -> None:
        with self._lock:
            self._running.pop(integration_id, None)

    def _wait_its_turn(self, task: _Task) -> None:
        if not self.submit(task.integration, task.wanted, task.answer):
            busy = refused("busy", "Too many operations are waiting. Nothing was done; retry.")
            self._publish(task, task.integration, busy)
        self._stopping.wait(_TURN_SECONDS)

    def run_waiting(self, connection: Connection) -> None:
        """Execute what is queued now."""
        with suppress(queue.Empty):
            while True:
                self.run_one(connection, self._tasks.get_nowait())

    def run_one(self, connection: Connection, task: _Task) -> None:
        """Execute one operation and publish its outcome."""
        try:
            outcome = self._execute(connection, task)
            current = read_integration(connection, task.integration.id)
        except Outage:
            self.submit(task.integration, task.wanted, task.answer)
            raise
        if current is None:
            outcome = refused("removed", f"{task.integration.id} was removed in the meantime.")
        self._publish(task, current or task.integration, outcome)

    def _publish(self, task: _Task, integration: Integration, outcome: Outcome) -> None:
        """Publish the outcome, and retry while the broker is unavailable."""
        while True:
            try:
                task.answer(integration, outcome)
            except Retry as error:
                if self._stopping.wait(bounded_pause(error.after) or _WAIT_SECONDS):
                    return
            except Exception as error:  # noqa: BLE001 - one outcome must not end the process
                _log.error(
                    "connectors.operation_not_answered",
                    integration=integration.id,
                    operation=task.wanted.operation,
                    reason=type(error).__name__,
                )
                return
            else:
                return

    def _execute(self, connection: Connection, task: _Task) -> Outcome:
        current = read_integration(connection, task.integration.id)
        if current is None:
            return {}
        wanted = task.wanted
        try:
            opened = open_session(
                self._settings,
                current,
                load_secret_box(self._connectors),
                _refuse_commands,
                public_url=self._connectors.public_url,
                exchange_seconds=self._connectors.exchange_seconds,
            )
            try:
                with opened.session.time_limit(TASK_SECONDS):
                    return _OPERATIONS[wanted.operation](opened.session, connection, wanted)
            finally:
                opened.close()
        except Outage:
            raise
        except Exception as error:  # noqa: BLE001 - a provider's defect must not end the process
            return _failed(connection, current, wanted, error)


def plan_job(integration_id: str) -> str:
    """Checkpoint name of an integration's last plan."""
    return f"connectors.plan:{integration_id}"


def _refuse_commands(commands: Sequence[InboundCommand]) -> None:
    raise Stop(f"{len(commands)} commands were to be published while reading a provider; nothing was sent")


def _plan(session: Session, connection: Connection, _: IntegrationOperation) -> Outcome:
    _store_plan(session.integration, connection, {"state": "running"})
    found = make_plan(session, connection)
    _store_plan(session.integration, connection, _plan_json(session, connection, found))
    return {"outcome": "done", "state": session.integration.state}


def _start(session: Session, connection: Connection, wanted: IntegrationOperation) -> Outcome:
    integration, accept = session.integration, wanted.accept_mass_change
    if integration.state == "disabled":
        detail = f"{integration.id} is disabled: {integration.state_reason}. Nothing was changed."
        return refused("disabled", f"{detail} Resume it first.")
    if accept:
        poll(session, connection, accept_mass_change=True)
    found = make_plan(session, connection)
    rows = apply_plan(session, connection, found, accept_mass_change=accept)
    return {"outcome": "done", "state": "active", "rows": rows}


def _test(session: Session, connection: Connection, _: IntegrationOperation) -> Outcome:
    found = session.provider.health()
    set_health(connection, session.integration.id, found.ok, found.detail, utc_now())
    if not found.ok:
        return refused("unhealthy", found.detail)
    return {"outcome": "done", "state": session.integration.state, "detail": found.detail}


_OPERATIONS: Final[dict[str, Callable[[Session, Connection, IntegrationOperation], Outcome]]] = {
    "plan": _plan,
    "start": _start,
    "test": _test,
}


def _plan_json(session: Session, connection: Connection, plan: InitialPlan) -> dict[str, Any]:
    counted = count_deletions(session, connection, plan.deleted)
    held_back = explain(session, counted) if exceeds_limit(session, counted) else None
    return {"state": "made", **plan.to_json(), "deleted": plan.deleted, "massChange": held_back}


def _failed(
    connection: Connection, integration: Integration, wanted: IntegrationOperation, error: Exception
) -> Outcome:
    """Outcome of an operation that raised; a provider's error never ends the process."""
    reason = reason_of(error)
    _log.warning(
        "connectors.operation_failed",
        integration=integration.id,
        tenant=integration.tenant_id,
        organization=integration.organization_id,
        operation=wanted.operation,
        reason=reason,
    )
    if wanted.operation == "plan":
        _store_plan(integration, connection, {"state": "failed", "reason": reason})
    if wanted.operation == "test":
        set_health(connection, integration.id, False, reason, utc_now())
    if isinstance(error, Reject):
        return refused(error.code, error.detail)
    return refused("needs_auth" if isinstance(error, NeedsAuth) else "provider_failed", reason)


def _store_plan(integration: Integration, connection: Connection, plan: dict[str, Any]) -> None:
    scope = integration.tenant_id, integration.organization_id
    made = {**plan, "at": format_instant(utc_now())}
    write_checkpoint(connection, plan_job(integration.id), *scope, made)
