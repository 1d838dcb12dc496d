"""The connectors' process: agents, ledger workers, chores and the address for webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

import structlog
import uvicorn
from mode import Service

from connectors.producer import AcknowledgedSender
from connectors.service.decision_handler import DecisionHandler
from connectors.service.event_consumer import make_app
from connectors.service.event_handler import EventHandler
from connectors.service.fair_share import FairShare
from connectors.service.health import RoleHealth
from connectors.service.maintenance import has_due, run_maintenance
from connectors.service.registry import IntegrationRegistry
from connectors.service.webhook_app import WebhookApp
from connectors.sync.worker import Worker
from runtime.backoff import Backoff
from runtime.connector_settings import ConnectorSettings, read_connector_settings
from runtime.faust_worker import run_worker
from runtime.http_server import KEEP_ALIVE_SECONDS
from runtime.logs import configure_logging
from runtime.postgres import Connection, Outage, connect
from runtime.readiness import announce_ready
from runtime.settings import Settings
from runtime.supervised_thread import failure_raised
from schemas.errors import Retry, Stop

_log = structlog.get_logger("connectors")
_REFRESH_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 0.25
_JOIN_SECONDS: Final = 30.0

#: Passes over all integrations once; how much was done.
PassOver = Callable[[Connection], int]


class ConnectorsService(Service):
    """Runs the threads; the first that fails ends the process."""

    def __init__(self, settings: Settings, connectors: ConnectorSettings, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings
        self._connectors = connectors
        self.stopping = threading.Event()
        # One integration has at most half of the regular threads for items, and one for chores.
        self._items = FairShare(connectors.workers, max(1, connectors.workers // 2))
        self._maintenance = FairShare(connectors.workers, 1)
        self.health = RoleHealth(settings, connectors, (self._items, self._maintenance))
        self.work = threading.Event()
        self.registry = IntegrationRegistry(settings, connectors, self.work.set)
        self.failure: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._server: uvicorn.Server | None = None
        self._port = connectors.port

    async def on_start(self) -> None:
        self._begin("keeper", self._with_connection(self._keep))
        for name, share, pass_over in (
            ("worker", self._items, self._work),
            ("chores", self._maintenance, self._do_chores),
        ):
            for number in range(share.regular):
                self._begin(f"{name}-{number}", self._with_connection(self._regular(pass_over)))
            for number in range(share.standby):
                self._begin(f"{name}-standby-{number}", self._standby(share, pass_over))
        self._begin("webhooks", self._serve)

    def _begin(self, name: str, run: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                run()
            except:  # noqa: E722 - see failure_raised
                error = failure_raised()
                _log.error(
                    "connectors.thread_failed", thread=name, error=type(error).__name__, reason=str(error)
                )
                self.failure = self.failure or error

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _with_connection(self, run: Callable[[Connection], None]) -> Callable[[], None]:
        def keep_running() -> None:
            delays = Backoff(ceiling=10.0).delays()
            while not self.stopping.is_set():
                if not self._once(run):
                    self.stopping.wait(next(delays))

        return keep_running

    def _once(self, run: Callable[[Connection], None]) -> bool:
        """Run with a connection of its own; ``False`` when the database is unavailable."""
        try:
            with connect(
                self._settings, application_name="interactions-connectors", autocommit=True
            ) as connection:
                run(connection)
        except (Outage, Retry) as error:
            _log.warning("connectors.database_away", reason=type(error).__name__)
            return False
        return True

    def _keep(self, connection: Connection) -> None:
        try:
            while not self.stopping.is_set():
                self.registry.refresh(connection)
                self.health.look(connection)
                self.stopping.wait(_REFRESH_SECONDS)
        finally:
            self.registry.drop_leadership()

    def _regular(self, pass_over: PassOver) -> Callable[[Connection], None]:
        def run(connection: Connection) -> None:
            while not self.stopping.is_set():
                if not pass_over(connection):
                    self.work.wait(_IDLE_SECONDS)

        return run

    def _standby(self, share: FairShare, pass_over: PassOver) -> Callable[[], None]:
        """Help while all regular threads are taken; no connection is kept otherwise."""

        def help_out(connection: Connection) -> None:
            while not self.stopping.is_set() and share.saturated:
                if not pass_over(connection):
                    self.work.wait(_IDLE_SECONDS)

        def run() -> None:
            while not self.stopping.wait(_IDLE_SECONDS):
                if share.saturated:
                    self._once(help_out)

        return run

    def _work(self, connection: Connection) -> int:
        name = threading.current_thread().name
        owner = f"{socket.gethostname()}-{os.getpid()}-{name}"
        entry = [one for one in self.registry.all() if one.works]
        random.shuffle(entry)
        self.work.clear()
        done = 0
        for one in entry:
            if self.stopping.is_set() or not self._items.acquire(one.integration.id):
                continue
            found = 0
            try:
                found = Worker(one.opened.session, connection, owner, one.breaker).work()
            finally:
                self._items.release(worked=found > 0)
            done += found
        return done

    def _do_chores(self, connection: Connection) -> int:
        done = 0
        for one in self.registry.all():
            if self.stopping.is_set() or not (one.works and has_due(one)):
                continue
            if not self._maintenance.acquire(one.integration.id):
                continue
            worked = False
            try:
                worked = run_maintenance(
                    one, connection, self._connectors.poll_scale, self._maintenance.heartbeat
                )
            finally:
                self._maintenance.release(worked=worked)
            done += worked
            self.work.set()
        return done

    def _serve(self) -> None:
        app = WebhookApp(
            self._settings, self.registry, self._connectors.public_url, self.work.set, self.health
        )
        config = uvicorn.Config(
            app,
            host=self._connectors.host,
            port=self._connectors.port,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=10,
        )
        server = _ThreadServer(config)
        self._server = server
        with _listen(self._connectors) as listening:
            self._port = int(listening.getsockname()[1])
            _log.info("connectors.webhooks_at", port=self._port)
            server.run(sockets=[listening])

    @Service.task
    async def _watch(self) -> None:
        announced = False
        while not self.should_stop:
            await self.sleep(0.2)
            if self.failure is not None:
                await self.crash(self.failure)
                return
            stuck = self.health.stuck()
            if stuck is not None:
                await self.crash(Stop(stuck))
                return
            if not announced and self._server is not None and self._server.started:
                host = self._connectors.host
                announce_ready(f"http://{'127.0.0.1' if host in ('', '0.0.0.0') else host}:{self._port}")  # noqa: S104
                self.health.ready = True
                announced = True
                _log.info("connectors.ready")

    async def on_stop(self) -> None:
        self.stopping.set()
        self.health.ready = False
        self.work.set()
        if self._server is not None:
            self._server.should_exit = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (_JOIN_SECONDS if self.failure is None else 5.0)
        for thread in self._threads:
            await loop.run_in_executor(None, thread.join, max(0.0, deadline - loop.time()))
        self.registry.close()


class _ThreadServer(uvicorn.Server):
    """Leaves the signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def _listen(connectors: ConnectorSettings) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((connectors.host, connectors.port))
    except OSError as error:
        listening.close()
        raise Stop(
            f"webhooks cannot be received at {connectors.host}:{connectors.port}: {error.strerror};"
            " set INTERACTIONS_CONNECTORS_PORT"
        ) from error
    return listening


def run_connectors(settings: Settings) -> None:
    """Run the connectors until SIGTERM or SIGINT.

    :raises Stop: a setting cannot be used, or a part failed; its reason is in the log and in the message.
    """
    configure_logging(settings)
    connectors = read_connector_settings()
    service = ConnectorsService(settings, connectors)
    marker = EventHandler(settings, service.stopping, service.work)
    decider = DecisionHandler(
        settings, AcknowledgedSender(settings).send, service.stopping, service.work, connectors
    )
    try:
        run_worker(
            lambda directory: make_app(settings, service, marker, decider, directory),
            service,
            "the connectors",
        )
    finally:
        marker.close()
        decider.close()
