"""Run one role until it is asked to stop."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from runtime.codec import make_codec
from runtime.health import Health
from runtime.health_server import HealthServer
from runtime.logs import configure_logging
from runtime.postgres import Connection
from runtime.settings import Settings
from runtime.topics import require_topics
from schemas.errors import Stop
from schemas.topics import EVENTS, INTEGRITY_EVENTS, RESULTS, STATE_TOPICS
from streams.app import STALL_SECONDS, Stage, StageService, run_app
from streams.applier.batches import BatchQueue, InFlight
from streams.applier.consumer import Reader
from streams.applier.publisher import Publisher
from streams.applier.writer import Writer
from streams.heartbeat import Heartbeat
from streams.jobs.kinds import LANES
from streams.jobs.lane import Lane
from streams.jobs.scheduler import Scheduler
from streams.pending_rows import timer_rows, waiting_jobs
from streams.pending_work import BacklogProbe, PendingWork
from streams.relay.relay import Relay
from streams.timers.timers import Timers
from streams.upkeep import Upkeep
from streams.watch.watch import Watch
from streams.watchdog import ApplierWatchdog, QueueWatchdog, RelayWatchdog

if TYPE_CHECKING:
    from runtime.faust_agents import Agent

Stages = list[tuple[str, Stage]]
DRAFTS: Final = "drafts"


def applier_stages(settings: Settings, heartbeat: Heartbeat, stop: threading.Event, health: Health) -> Stages:
    """Stages of the applier: reader, writer and publisher in a thread each, stall detection and upkeep."""
    codec = make_codec(settings, RESULTS)
    in_flight = InFlight()
    # A full batch and its decisions take 20 MiB.
    batches, applied = BatchQueue(settings.batch_size), BatchQueue(settings.batch_size)
    upkeep = Upkeep(settings, in_flight, stop)
    reader = Reader(settings, codec.decode, in_flight, batches, heartbeat, stop, upkeep)
    writer = Writer(settings, codec.encode_result, in_flight, batches, applied, heartbeat, stop)
    publisher = Publisher(settings, codec.encode_result, in_flight, applied, heartbeat, stop)
    liveness = ApplierWatchdog(settings, reader.owned, heartbeat, stop, health)
    stages = {
        "reader": reader.run,
        "writer": writer.run,
        "publisher": publisher.run,
        "liveness": liveness.run,
        "upkeep": upkeep.run,
    }
    return [(name, _abandoning(in_flight, run)) for name, run in stages.items()]


def _abandoning(in_flight: InFlight, run: Stage) -> Stage:
    """Wrap a stage so that its failure ends the others at once: its partitions need a new owner soon."""

    def stage() -> None:
        try:
            run()
        except:  # also what is not an exception class (runtime.supervised_thread)
            in_flight.abandon(failed=True)
            raise

    return stage


def relay_stages(settings: Settings, heartbeat: Heartbeat, stop: threading.Event, health: Health) -> Stages:
    """Stages of the relay: the relay itself and its stall detection."""
    codec = make_codec(settings, EVENTS, *STATE_TOPICS)
    relay = Relay(settings, codec.encode, heartbeat, stop)
    liveness = RelayWatchdog(settings, relay.position, heartbeat, stop, health)
    return [("relay", relay.run), ("liveness", liveness.run)]


def timers_stages(settings: Settings, heartbeat: Heartbeat, stop: threading.Event, health: Health) -> Stages:
    """Stages of the timers: the timers themselves and their stall detection."""

    def waiting(connection: Connection, probe: BacklogProbe) -> Iterable[PendingWork]:
        return timer_rows(connection, settings, probe)

    liveness = QueueWatchdog("the timers role", settings, waiting, heartbeat, stop, health)
    return [("timers", Timers(settings, heartbeat, stop).run), ("liveness", liveness.run)]


def watch_stages(settings: Settings, heartbeat: Heartbeat, stop: threading.Event, _health: Health) -> Stages:
    """Stages of the watch: one thread."""
    codec = make_codec(settings, INTEGRITY_EVENTS)
    return [("watch", Watch(settings, codec.encode, heartbeat, stop).run)]


def jobs_stages(settings: Settings, heartbeat: Heartbeat, stop: threading.Event, health: Health) -> Stages:
    """Stages of the jobs role: a thread per lane, of which one starts scheduled jobs, and stall detection."""

    def waiting(connection: Connection, _: BacklogProbe) -> Iterable[PendingWork]:
        return waiting_jobs(connection)

    liveness = QueueWatchdog("the jobs role", settings, waiting, heartbeat, stop, health)
    scheduler = Scheduler(settings)
    scheduler.register_metrics()
    ticks = {"scheduled": scheduler.tick}
    lanes: Stages = [
        (name, Lane(name, kinds, settings, heartbeat, stop, ticks.get(name, lambda _: None)).run)
        for name, kinds in LANES.items()
    ]
    return [*lanes, ("liveness", liveness.run)]


def drafts_parts(
    settings: Settings, heartbeat: Heartbeat, stop: threading.Event
) -> tuple[Stages, list[Agent]]:
    """Stages of the drafts role, and the agent that writes the drafts."""
    from runtime.faust_agents import Agent
    from streams.drafts.drafting import Drafting
    from streams.drafts.writers.registry import make_writer
    from streams.drafts.writers.settings import WriterSettings, read_drafts_settings

    writer = make_writer(read_drafts_settings(WriterSettings))
    drafting = Drafting(settings, writer, heartbeat, stop)
    return [("drafts", drafting.run)], [Agent(EVENTS, "drafts.write", drafting.take)]


ROLES: Final[dict[str, Callable[[Settings, Heartbeat, threading.Event, Health], Stages]]] = {
    "applier": applier_stages,
    "relay": relay_stages,
    "timers": timers_stages,
    "watch": watch_stages,
    "jobs": jobs_stages,
}


def run_role(role: str, settings: Settings) -> None:
    """Run a role until SIGTERM or SIGINT; returns after a clean stop.

    :raises Stop: the role is unknown, a topic is missing or wrongly set, or the role failed.
    """
    if role not in (*ROLES, DRAFTS):
        raise Stop(f"unknown role {role!r}; the roles are {', '.join((*ROLES, DRAFTS))}")
    configure_logging(settings)
    require_topics(settings)
    # A batch makes some hundred thousand objects without cycles; scanning them finds nothing.
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    heartbeat, stop = Heartbeat(), threading.Event()
    health = Health(partial(_problems, heartbeat))
    agents: list[Agent] = []
    if role == DRAFTS:
        stages, agents = drafts_parts(settings, heartbeat, stop)
    else:
        stages = ROLES[role](settings, heartbeat, stop, health)
    service = StageService(role, stages, heartbeat, stop)
    server = HealthServer(settings, role, health, service.why_dead, stop)
    service.answer_at(server.url, server.serve)
    run_app(role, settings, service, agents)


def _problems(heartbeat: Heartbeat) -> list[str]:
    """List the reasons why a role is not ready, by the heartbeats of its stages."""
    if not heartbeat.started:
        return ["It has not started work yet."]
    found = []
    if silent := heartbeat.silent(STALL_SECONDS / 2):
        found.append(f"No heartbeat for {STALL_SECONDS / 2:g} s from: {', '.join(silent)}.")
    if heartbeat.excused():
        found.append("It waits for a server that does not answer or that refuses; its log names the server.")
    return found
