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

from connectors.agent import make_app
from connectors.chores import do_chores
from connectors.decider import Decider
from connectors.link_book import LinkBook
from connectors.marker import Marker
from connectors.webhook_app import WebhookApp
from connectors.worker import Worker
from runtime.acknowledged_sender import AcknowledgedSender
from runtime.backoff import Backoff
from runtime.connector_settings import ConnectorSettings, read_connector_settings
from runtime.faust_worker import run_worker
from runtime.http_server import KEEP_ALIVE_SECONDS
from runtime.logs import configure_logging
from runtime.postgres import Connection, Outage, connect
from runtime.readiness import announce_ready
from runtime.settings import Settings
from schemas.errors import Retry, Stop

_log = structlog.get_logger("connectors")
_REFRESH_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 0.25
_JOIN_SECONDS: Final = 30.0


class ConnectorsService(Service):
    """Runs the threads; the first that fails ends the process."""

    def __init__(self, settings: Settings, connectors: ConnectorSettings, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings
        self._connectors = connectors
        self.stopping = threading.Event()
        self.work = threading.Event()
        self.book = LinkBook(settings, connectors, self.work.set)
        self.failure: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._server: uvicorn.Server | None = None

    async def on_start(self) -> None:
        self._begin("keeper", self._with_connection(self._keep))
        self._begin("chores", self._with_connection(self._chores))
        for number in range(self._connectors.workers):
            self._begin(f"worker-{number}", self._with_connection(self._work))
        self._begin("webhooks", self._serve)

    def _begin(self, name: str, run: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                run()
            except BaseException as error:  # noqa: BLE001 - whatever ends a thread ends the process
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
                try:
                    with connect(
                        self._settings, application_name="interactions-connectors", autocommit=True
                    ) as connection:
                        run(connection)
                except (Outage, Retry) as error:
                    _log.warning("connectors.database_away", reason=type(error).__name__)
                    self.stopping.wait(next(delays))

        return keep_running

    def _keep(self, connection: Connection) -> None:
        try:
            while not self.stopping.is_set():
                self.book.refresh(connection)
                self.stopping.wait(_REFRESH_SECONDS)
        finally:
            self.book.forget_leads()

    def _work(self, connection: Connection) -> None:
        name = threading.current_thread().name
        owner = f"{socket.gethostname()}-{os.getpid()}-{name}"
        chance = random.Random()
        while not self.stopping.is_set():
            held = [one for one in self.book.all() if one.works]
            chance.shuffle(held)
            self.work.clear()
            done = sum(Worker(one.opened.link, connection, owner, one.breaker, chance).work() for one in held)
            if not done:
                self.work.wait(_IDLE_SECONDS)

    def _chores(self, connection: Connection) -> None:
        while not self.stopping.wait(_IDLE_SECONDS):
            for held in self.book.all():
                if held.works and not self.stopping.is_set():
                    do_chores(held, connection, self._connectors.poll_scale)
                    self.work.set()

    def _serve(self) -> None:
        app = WebhookApp(self._settings, self.book, self._connectors.public_url, self.work.set)
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
            _log.info("connectors.webhooks_at", port=listening.getsockname()[1])
            server.run(sockets=[listening])

    @Service.task
    async def _watch(self) -> None:
        announced = False
        while not self.should_stop:
            await self.sleep(0.2)
            if self.failure is not None:
                await self.crash(self.failure)
                return
            if not announced and self._server is not None and self._server.started:
                announce_ready()
                announced = True
                _log.info("connectors.ready")

    async def on_stop(self) -> None:
        self.stopping.set()
        self.work.set()
        if self._server is not None:
            self._server.should_exit = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (_JOIN_SECONDS if self.failure is None else 5.0)
        for thread in self._threads:
            await loop.run_in_executor(None, thread.join, max(0.0, deadline - loop.time()))
        self.book.close()


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
    service = ConnectorsService(settings, read_connector_settings())
    marker = Marker(settings, service.stopping, service.work)
    decider = Decider(settings, AcknowledgedSender(settings).send, service.stopping, service.work)
    try:
        run_worker(
            lambda directory: make_app(settings, service, marker, decider, directory),
            service,
            "the connectors",
        )
    finally:
        marker.close()
        decider.close()
