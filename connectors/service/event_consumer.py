"""Faust agents: one marks the ledger for events, the other executes decisions.

They read committed records only, acknowledge a batch after its work is committed, and end the process on any
unexpected error: a restarted agent would continue after the lost batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import faust
import structlog
from faust.transport.drivers import aiokafka as driver
from mode import Service

from connectors.faust_broker import faust_broker
from runtime.settings import Settings
from schemas.topics import EVENTS, INTEGRATION_DECISIONS

_log = structlog.get_logger("connectors")
_MOST: Final = 500
_WITHIN_SECONDS: Final = 0.05

#: Takes the values of events (None: a tombstone) in order; returns once their change marks are committed.
MarkAll = Callable[[Sequence[bytes | None]], None]
#: Takes headers and values of decisions in order; returns once the decisions are executed.
DecideAll = Callable[[Sequence[tuple[Mapping[str, bytes | None], bytes | None]]], None]


class _CommittedThread(driver.AIOKafkaConsumerThread):
    """Consumer thread with read_committed, which Faust otherwise offers only in its exactly-once mode."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - there is no setting for it
        return consumer


class _CommittedConsumer(driver.Consumer):
    def _new_consumer_thread(self) -> _CommittedThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)


class _CommittedTransport(driver.Transport):
    Consumer = _CommittedConsumer


def make_app(
    settings: Settings, service: Service, mark: MarkAll, decide: DecideAll, directory: Path
) -> faust.App:
    """Build the role's Faust app: its agents, and the service that runs the workers.

    :param mark: blocking; anything it raises ends the process. The same holds for ``decide``.
    :param directory: working directory for Faust's files.
    """
    app = faust.App(
        f"{settings.consumer_group}-connectors",
        **faust_broker(settings),
        store="memory://",
        datadir=directory,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=1.0,
        # After a kill the group waits this long for the dead member before events are read again.
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
    )
    app.transport = _CommittedTransport(app.conf.broker_consumer, app, loop=app.loop)
    app.service(service)  # type: ignore[arg-type]  # Faust accepts instances; its annotation names classes only

    def on(topic: str, name: str, take: Callable[[list[Any]], None]) -> None:
        source = app.topic(
            settings.topic(topic),
            key_serializer="raw",
            value_serializer="raw",
            key_type=bytes,
            value_type=bytes,
        )
        app.agent(source, name=name, concurrency=1)(_agent(service, take))

    on(EVENTS, "connectors.mark", lambda messages: mark([message.value for message in messages]))
    on(
        INTEGRATION_DECISIONS,
        "connectors.decide",
        lambda messages: decide([(dict(message.headers or ()), message.value) for message in messages]),
    )
    return app


def _agent(service: Service, take: Callable[[list[Any]], None]) -> Callable[[Any], Awaitable[None]]:
    async def run(stream: Any) -> None:
        loop = asyncio.get_running_loop()
        try:
            async for events in stream.noack_take(_MOST, within=_WITHIN_SECONDS):
                await loop.run_in_executor(None, take, [event.message for event in events])
                for event in events:
                    event.ack()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - any error ends the process
            _log.error("connectors.agent_failed", reason=type(error).__name__)
            await service.crash(error)
            # Hazard: do not return to Faust, which would restart the agent after the lost batch.
            await asyncio.Event().wait()

    return run
