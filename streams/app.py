"""The Faust app: lifecycle and supervision of a worker's services, and home of the topic agents.

The services that own offsets or transactions (applier, relay) keep their own Kafka clients: Faust's
commits may pass an in-flight message, ours must not. The app runs them as ``mode`` services; one that
fails ends the process, and the process's supervisor restarts it.
"""

from __future__ import annotations

import faulthandler
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import faust
import structlog
from faust.app.base import BootStrategy
from mode import Service

from runtime.faust_worker import run_worker
from runtime.readiness import announce_ready
from runtime.settings import Settings
from runtime.supervised_thread import join_all, supervised
from streams.heartbeat import Heartbeat

if TYPE_CHECKING:
    from runtime.faust_agents import Agent

_log = structlog.get_logger("worker")

#: A working stage without a heartbeat for longer is hung; the process ends rather than stall silently.
STALL_SECONDS: Final = 120.0
#: Time for all stages together to finish their work, at a clean stop and after a failure. A hung stage must
#: not keep the process, and with it its partitions, for longer.
_JOIN_SECONDS: Final = 90.0
_JOIN_SECONDS_FAILED: Final = 5.0
#: After a failure the process ends within this time, whatever hangs.
_END_SECONDS: Final = 15.0

Stage = Callable[[], None]


class ServicesOnly(BootStrategy):
    """Starts none of Faust's consumers, producers or web servers: for roles without agents."""

    enable_kafka = False
    enable_kafka_consumer = False
    enable_kafka_producer = False
    enable_web = False


class StageService(Service):
    """Runs blocking stages in threads; the first failure crashes the service, and with it the worker."""

    def __init__(
        self,
        name: str,
        stages: Sequence[tuple[str, Stage]],
        heartbeat: Heartbeat,
        stop: threading.Event,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._url: str | None = None
        self._watched_at = time.monotonic()
        self._name = name
        self._stages = stages
        self._heartbeat = heartbeat
        self._stop_event = stop
        self.failure: BaseException | None = None
        self._threads: list[threading.Thread] = []

    async def on_start(self) -> None:
        for name, stage in self._stages:
            thread = supervised(
                name, stage, stopping=self._stop_event.is_set, failed=partial(self._stage_failed, name)
            )
            self._threads.append(thread)
            thread.start()

    def _stage_failed(self, name: str, error: BaseException) -> None:
        _log.error("worker.stage_failed", stage=name, error=type(error).__name__, reason=str(error))
        self.failure = self.failure or error
        self._stop_event.set()

    @Service.task
    async def _watch(self) -> None:
        announced = False
        while not self.should_stop:
            await self.sleep(0.2)
            self._watched_at = time.monotonic()
            if self._heartbeat.started and not announced:
                announce_ready(self._url)
                announced = True
            if self.failure is not None:
                # A stage that hangs inside a client library must not keep the process: C code ends it.
                faulthandler.dump_traceback_later(_END_SECONDS, exit=True)
                await self.crash(self.failure)
                return
            silent = self._heartbeat.silent(STALL_SECONDS)
            if silent:
                _log.error("worker.stalled", stages=silent)
                self.failure = RuntimeError(f"{', '.join(silent)} made no progress")

    def answer_at(self, url: str, serve: Stage) -> None:
        """Add the health server; before the service starts.

        :param url: the address of ``serve``.
        """
        self._url = url
        self._stages = [*self._stages, ("health", serve)]

    def why_dead(self) -> str | None:
        """Return the reason why this process is not alive; ``None`` when it is."""
        if self.failure is not None:
            return f"It is ending: {self.failure}"
        silent = self._heartbeat.silent(STALL_SECONDS)
        if silent:
            return f"No heartbeat for {STALL_SECONDS:g} s from: {', '.join(silent)}"
        if time.monotonic() - self._watched_at > STALL_SECONDS:
            return "The watchdog of its stages hangs"
        return None

    async def on_stop(self) -> None:
        self._stop_event.set()
        await join_all(self._threads, _JOIN_SECONDS if self.failure is None else _JOIN_SECONDS_FAILED)


def make_app(settings: Settings, service: StageService, directory: Path) -> faust.App:
    """Make the app of one worker process, with its service attached.

    :param directory: for files of Faust; there are none for these roles.
    """
    brokers = (settings.kafka_bootstrap_servers or "").split(",")
    app = faust.App(
        "customer-interactions",
        broker=[f"kafka://{broker}" for broker in brokers],
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        datadir=directory,
    )
    app.boot_strategy = ServicesOnly(app)
    app.service(service)  # type: ignore[arg-type]  # an instance is fine; Faust's hint knows classes only
    return app


def run_app(role: str, settings: Settings, service: StageService, agents: list[Agent]) -> None:
    """Run the worker until SIGTERM or SIGINT.

    :param agents: of a role that reacts to events; others need none of Faust's consumers.
    :raises Stop: a stage failed; its reason is in the log and in the message.
    """

    def make(directory: Path) -> faust.App:
        if agents:
            from runtime.faust_agents import (
                make_agents_app,  # the Kafka client of Faust, for these roles only
            )

            return make_agents_app(role, settings, service, agents, directory)
        return make_app(settings, service, directory)

    run_worker(make, service, "the worker")
