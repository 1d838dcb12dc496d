"""Faust apps with agents that read committed records only and lose none.

An agent acknowledges a batch after its work is done, and ends the process on any unexpected error: a
restarted agent would continue after the lost batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faust
import structlog
from faust.transport.drivers import aiokafka as driver
from mode import Service

from runtime.faust_broker import faust_broker
from runtime.settings import Settings

_MOST: Final = 500
_WITHIN_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent.

    :param topic: catalogue name.
    :param take: blocking; takes messages in order, and returns once their work is done. Anything it raises
        ends the process.
    """

    topic: str
    name: str
    take: Callable[[list[Any]], None]


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


def make_agents_app(
    role: str, settings: Settings, service: Service, agents: list[Agent], directory: Path
) -> faust.App:
    """Build the app of a role: its agents, and the service that runs its other work.

    :param role: names the consumer group and the log.
    :param directory: working directory for Faust's files.
    """
    app = faust.App(
        f"{settings.consumer_group}-{role}",
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
    for agent in agents:
        source = app.topic(
            settings.topic(agent.topic),
            key_serializer="raw",
            value_serializer="raw",
            key_type=bytes,
            value_type=bytes,
        )
        app.agent(source, name=agent.name, concurrency=1)(_run(role, service, agent.take))
    return app


def _run(role: str, service: Service, take: Callable[[list[Any]], None]) -> Callable[[Any], Awaitable[None]]:
    report = structlog.get_logger(role).error

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
            report(f"{role}.agent_failed", reason=type(error).__name__)
            await service.crash(error)
            # Hazard: do not return to Faust, which would restart the agent after the lost batch.
            await asyncio.Event().wait()

    return run
