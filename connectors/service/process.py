"""Process of the connectors role: event agents, sync workers, maintenance and the webhook server."""

from __future__ import annotations

import os
import random
import socket
import threading
from datetime import timedelta
from typing import Any, Final

import structlog
from mode import Service

from connectors.service.decision_handler import DecisionHandler
from connectors.service.event_consumer import make_app
from connectors.service.event_handler import EventHandler
from connectors.service.fair_share import FairShare
from connectors.service.health import RoleHealth
from connectors.service.integration_events import IntegrationEvents
from connectors.service.maintenance import has_due, run_maintenance
from connectors.service.provider_operations import ProviderOperations
from connectors.service.published_declarations import publish_declarations
from connectors.service.registry import IntegrationRegistry
from connectors.service.threads import RoleThreads
from connectors.service.webhook_app import WebhookApp
from connectors.service.webhook_server import WebhookServer
from connectors.sync.worker import Worker
from runtime.acknowledged_sender import AcknowledgedSender
from runtime.codec import make_codec
from runtime.connector_settings import ConnectorSettings, read_connector_settings
from runtime.faust_worker import run_worker
from runtime.logs import configure_logging
from runtime.postgres import Connection, Outage
from runtime.readiness import announce_ready
from runtime.settings import Settings
from schemas.avro_codec import Encode
from schemas.errors import Stop
from schemas.topics import INTEGRATION_EVENTS

_log = structlog.get_logger("connectors")
_REFRESH_SECONDS: Final = 1.0
#: Threads for operations that contact a provider: one slow provider leaves another thread free.
_OPERATION_THREADS: Final = 2
_JOIN_SECONDS: Final = 30.0
#: Pause of the maintenance of an integration on which the code itself fails.
_PUT_OFF: Final = timedelta(minutes=1)
_JOIN_AFTER_FAILURE_SECONDS: Final = 5.0


class ConnectorsService(Service):
    """Run the role's threads; the first one that fails ends the process.

    :ivar failure: first error that ended a thread.
    """

    def __init__(
        self, settings: Settings, connectors: ConnectorSettings, encode: Encode, **options: Any
    ) -> None:
        super().__init__(**options)
        self._connectors = connectors
        self.failure: BaseException | None = None
        self.stopping = threading.Event()
        self.work = threading.Event()
        # One integration gets at most half of the regular sync threads, and one maintenance thread.
        self._items = FairShare(connectors.workers, max(1, connectors.workers // 2))
        self._maintenance = FairShare(connectors.workers, 1)
        self.operations = ProviderOperations(settings, connectors, self.stopping)
        turns = (self._items, self._maintenance, self.operations)
        self.health = RoleHealth(settings, connectors, turns)
        sender = AcknowledgedSender(settings)
        events = IntegrationEvents(sender.send, encode)
        self.registry = IntegrationRegistry(settings, connectors, sender, events, self.work.set)
        self._threads = RoleThreads(settings, self.stopping, self.work, self._note_failure)
        app = WebhookApp(settings, self.registry, events, connectors.public_url, self.work.set, self.health)
        self._server = WebhookServer(app, connectors.host, connectors.port)

    async def on_start(self) -> None:
        self._threads.start_connected("keeper", self._keep)
        self._threads.start_pool("worker", self._items, self._sync_items)
        self._threads.start_pool("maintenance", self._maintenance, self._maintain)
        for number in range(_OPERATION_THREADS):
            self._threads.start_connected(f"operation-{number}", self.operations.run)
        self._threads.start("webhooks", self._server.run)

    def _note_failure(self, error: BaseException) -> None:
        self.failure = self.failure or error

    def _keep(self, connection: Connection) -> None:
        """Follow the integrations table and hold leadership; both live on this connection."""
        publish_declarations(connection)
        try:
            while not self.stopping.is_set():
                self.registry.refresh(connection)
                self.health.refresh(connection)
                self.stopping.wait(_REFRESH_SECONDS)
        finally:
            self.registry.drop_leadership()

    def _sync_items(self, connection: Connection) -> int:
        """Sync due items of every integration that this process leads; return their number."""
        owner = f"{socket.gethostname()}-{os.getpid()}-{threading.current_thread().name}"
        entries = [entry for entry in self.registry.all() if entry.runs_here]
        random.shuffle(entries)
        self.work.clear()
        done = 0
        for entry in entries:
            if self.stopping.is_set() or not self._items.acquire(entry.integration.id):
                continue
            rows = 0
            try:
                rows = Worker(entry.opened.session, connection, owner, entry.breaker).work()
            finally:
                self._items.release(worked=rows > 0)
            done += rows
        return done

    def _maintain(self, connection: Connection) -> int:
        """Run due maintenance of every integration that this process leads; return how many had any."""
        done = 0
        for entry in self.registry.all():
            if self.stopping.is_set() or not (entry.runs_here and has_due(entry)):
                continue
            if not self._maintenance.acquire(entry.integration.id):
                continue
            worked = False
            try:
                worked = run_maintenance(
                    entry, connection, self._connectors.poll_scale, self._maintenance.heartbeat
                )
            except Outage:
                raise
            except Exception as error:  # noqa: BLE001 - one integration must not stop the others
                _log.error(
                    "connectors.maintenance_failed",
                    integration=entry.integration.id,
                    reason=type(error).__name__,
                )
                entry.put_off(_PUT_OFF)
            finally:
                self._maintenance.release(worked=worked)
            done += worked
            self.work.set()
        return done

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(0.2)
            if self.failure is not None:
                await self.crash(self.failure)
                return
            stuck = self.health.stuck()
            if stuck is not None:
                await self.crash(Stop(stuck))
                return
            if not self.health.ready and self._server.started and not self.stopping.is_set():
                announce_ready(self._server.url)
                self.health.ready = True
                _log.info("connectors.ready")

    async def on_stop(self) -> None:
        self.stopping.set()
        self.health.ready = False
        self.work.set()
        self._server.stop()
        failed = self.failure is not None
        await self._threads.join(_JOIN_AFTER_FAILURE_SECONDS if failed else _JOIN_SECONDS)
        self.registry.close()


def run_connectors(settings: Settings) -> None:
    """Run the connectors role until SIGTERM or SIGINT.

    :raises Stop: a setting is unusable, or a thread failed; the reason is logged and in the message.
    """
    configure_logging(settings)
    connectors = read_connector_settings()
    encode = make_codec(settings, INTEGRATION_EVENTS).encode
    service = ConnectorsService(settings, connectors, encode)
    events = EventHandler(settings, service.stopping, service.work)
    decisions = DecisionHandler(
        settings,
        IntegrationEvents(AcknowledgedSender(settings).send, encode),
        service.stopping,
        service.work,
        connectors,
        service.operations,
    )
    try:
        run_worker(
            lambda directory: make_app(settings, service, events, decisions, directory),
            service,
            "the connectors",
        )
    finally:
        events.close()
        decisions.close()
