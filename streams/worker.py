"""Run one role until it is told to stop."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Final

from runtime.logs import configure_logging
from runtime.settings import Settings
from schemas.errors import Stop
from streams.app import Stage, StageService, run_app
from streams.codec import make_codec
from streams.liveness import ApplierLiveness, RelayLiveness
from streams.pipeline import Flight, HandOver, Pulse
from streams.publisher import Publisher
from streams.reader import Reader
from streams.relay import Relay
from streams.timers import Timers
from streams.topics import require_topics
from streams.writer import Writer

Stages = list[tuple[str, Stage]]


def applier_stages(settings: Settings, pulse: Pulse, stop: threading.Event) -> Stages:
    """The applier: reader, writer and publisher, each in its thread; and their watch."""
    codec = make_codec(settings)
    flight = Flight()
    # A full batch and its decisions take 20 MiB.
    batches, applied = HandOver(settings.batch_size), HandOver(settings.batch_size)
    reader = Reader(settings, codec.decode, flight, batches, pulse, stop)
    writer = Writer(settings, codec.encode_result, flight, batches, applied, pulse, stop)
    publisher = Publisher(settings, codec.encode_result, flight, applied, pulse, stop)
    liveness = ApplierLiveness(settings, reader.owned, pulse, stop)
    stages = {
        "reader": reader.run,
        "writer": writer.run,
        "publisher": publisher.run,
        "liveness": liveness.run,
    }
    return [(name, _abandoning(flight, run)) for name, run in stages.items()]


def _abandoning(flight: Flight, run: Stage) -> Stage:
    """A stage whose failure lets the others end at once: its partitions must find a new owner soon."""

    def stage() -> None:
        try:
            run()
        except BaseException:
            flight.abandon(failed=True)
            raise

    return stage


def relay_stages(settings: Settings, pulse: Pulse, stop: threading.Event) -> Stages:
    """The relay, and who watches it."""
    relay = Relay(settings, make_codec(settings).encode, pulse, stop)
    liveness = RelayLiveness(settings, relay.position, pulse, stop)
    return [("relay", relay.run), ("liveness", liveness.run)]


def timers_stages(settings: Settings, pulse: Pulse, stop: threading.Event) -> Stages:
    """The timers: one thread."""
    return [("timers", Timers(settings, pulse, stop).run)]


ROLES: Final[dict[str, Callable[[Settings, Pulse, threading.Event], Stages]]] = {
    "applier": applier_stages,
    "relay": relay_stages,
    "timers": timers_stages,
}


def run_role(role: str, settings: Settings) -> None:
    """Run a role until SIGTERM or SIGINT; returns after a clean stop.

    :raises Stop: the role is unknown, a topic is missing or wrongly set, or the role failed.
    """
    if role not in ROLES:
        raise Stop(f"unknown role {role!r}; the roles are {', '.join(ROLES)}")
    configure_logging(settings)
    require_topics(settings)
    # A batch makes some hundred thousand objects without cycles; scanning them over and over finds nothing.
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    pulse, stop = Pulse(), threading.Event()
    service = StageService(role, ROLES[role](settings, pulse, stop), pulse, stop)
    run_app(settings, service)
