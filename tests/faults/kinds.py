"""The faults, by name. Each is made, lasts, is healed, and says from when recovery counts."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from runtime.crash_points import POINTS
from runtime.kafka import why_silent
from runtime.postgres import connect
from tests.faults.scene import Scene
from tests.harness.roles import wait_until
from tests.harness.servers import server_pid

#: How long a server may take to come back, and a crash point to be reached.
_RETURN_SECONDS: Final = 120.0
_REACH_SECONDS: Final = 45.0


@dataclass
class Done:
    """A fault that was made and healed.

    :param since: from when recovery counts (``time.monotonic``): a kill itself, or the end of an outage.
    :param outage: seconds for which a server or a connection was away.
    :param reached: whether it struck (a crash point may not be reached in time).
    """

    since: float
    outage: float | None = None
    reached: bool = True


Strike = Callable[[Scene, random.Random], Done]


@dataclass(frozen=True)
class Kind:
    """One kind of fault; ``watch`` is whose progress shows the recovery."""

    strike: Strike
    watch: Literal["applier", "relay", "none"]


def _signal(role: str, number: signal.Signals) -> Strike:
    def strike(scene: Scene, chance: random.Random) -> Done:
        now = time.monotonic()
        scene.crew.send(chance.choice(scene.crew.names(role)), number)
        return Done(now)

    return strike


def _pause(role: str) -> Strike:
    """A zombie: silent for longer than the session, then awake with everything it had in hand."""

    def strike(scene: Scene, chance: random.Random) -> Done:
        name, now = chance.choice(scene.crew.names(role)), time.monotonic()
        scene.crew.send(name, signal.SIGSTOP)
        try:
            time.sleep(scene.session_seconds * chance.uniform(1.2, 2.0))
        finally:
            scene.crew.send(name, signal.SIGCONT)
        # The other applier takes the partitions over; a lone relay or timer is back when it wakes.
        return Done(now if role == "applier" else time.monotonic())

    return strike


def _crash(point: str) -> Strike:
    role = "relay" if point.startswith("relay") else "applier"

    def strike(scene: Scene, chance: random.Random) -> Done:
        member = scene.crew.members[chance.choice(scene.crew.names(role))]
        before = len(member.exits)
        scene.crew.arm(member.name, f"{point}:{chance.randint(1, 3)}")
        deadline = time.monotonic() + _REACH_SECONDS
        # The first end is the one that arms it, the second the point itself.
        while len(member.exits) < before + 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        reached = len(member.exits) >= before + 2 and member.exits[before + 1] == -signal.SIGKILL
        if not reached:
            scene.crew.send(member.name, signal.SIGKILL)
        return Done(time.monotonic(), reached=reached)

    return strike


def _storm(scene: Scene, chance: random.Random) -> Done:
    """Workers that come and go every second or so."""
    for number in range(3):
        name = f"applier-guest-{number}"
        scene.crew.join("applier", name)
        time.sleep(chance.uniform(1.0, 3.0))
        scene.crew.dismiss(name, chance.choice([signal.SIGTERM, signal.SIGKILL]))
    return Done(time.monotonic())


def _backends(scene: Scene, chance: random.Random) -> Done:
    """The database's connections end under the roles, as after a failover of a pooler."""
    with connect(scene.settings, application_name="faults", autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'interactions-%'"
        )
    return Done(time.monotonic())


def _postgres_stop(scene: Scene, chance: random.Random) -> Done:
    """Immediate shutdown: no checkpoint, recovery from the write-ahead log at the next start."""
    return _server_down(scene, "postgres", signal.SIGQUIT, lambda: scene.probe.answers)


def _broker_kill(scene: Scene, chance: random.Random) -> Done:
    return _server_down(scene, "kafka", signal.SIGKILL, lambda: why_silent(scene.settings) is None)


def _registry_kill(scene: Scene, chance: random.Random) -> Done:
    """The registry dies, and a role starts while it is away."""
    name = chance.choice([*scene.crew.names("applier"), *scene.crew.names("relay")])
    scene.crew.send(name, signal.SIGKILL)
    return _server_down(scene, "schema-registry", signal.SIGKILL, lambda: True)


def _server_down(scene: Scene, role: str, number: signal.Signals, answers: Callable[[], bool]) -> Done:
    wait_until(lambda: server_pid(scene.settings, role) is not None, _RETURN_SECONDS)
    pid, now = server_pid(scene.settings, role), time.monotonic()
    assert pid is not None
    os.kill(pid, number)
    if role == "postgres":
        wait_until(lambda: not scene.probe.answers, 10, lambda: "Postgres did not stop")
    wait_until(
        lambda: server_pid(scene.settings, role) not in (None, pid) and answers(),
        _RETURN_SECONDS,
        lambda: f"{role} did not come back",
    )
    return Done(time.monotonic(), outage=time.monotonic() - now)


def _network(server: str, what: Literal["cut", "slow", "silent"]) -> Strike:
    def strike(scene: Scene, chance: random.Random) -> Done:
        proxy, now = scene.proxies[server], time.monotonic()
        seconds = chance.uniform(1.0, 5.0)
        if what == "cut":
            proxy.cut()
        elif what == "slow":
            proxy.slow(chance.uniform(0.05, 0.3))
        else:
            proxy.silence()
        try:
            time.sleep(seconds)
        finally:
            proxy.heal()
        return Done(time.monotonic(), outage=time.monotonic() - now if what != "slow" else None)

    return strike


def _replay(shuffled: bool) -> Strike:
    def strike(scene: Scene, chance: random.Random) -> Done:
        scene.load.replay(chance.randint(50, 400), shuffled=shuffled)
        return Done(time.monotonic())

    return strike


KINDS: Final[dict[str, Kind]] = {
    "applier: kill -9": Kind(_signal("applier", signal.SIGKILL), "applier"),
    "applier: SIGTERM": Kind(_signal("applier", signal.SIGTERM), "applier"),
    "applier: paused past its session": Kind(_pause("applier"), "applier"),
    "applier: rebalance storm": Kind(_storm, "applier"),
    "relay: kill -9": Kind(_signal("relay", signal.SIGKILL), "relay"),
    "relay: SIGTERM": Kind(_signal("relay", signal.SIGTERM), "relay"),
    "relay: paused": Kind(_pause("relay"), "relay"),
    "timers: kill -9": Kind(_signal("timers", signal.SIGKILL), "none"),
    "timers: paused": Kind(_pause("timers"), "none"),
    "postgres: immediate stop": Kind(_postgres_stop, "applier"),
    "postgres: backends terminated": Kind(_backends, "applier"),
    "postgres: connections cut": Kind(_network("postgres", "cut"), "applier"),
    "postgres: connections slow": Kind(_network("postgres", "slow"), "applier"),
    "postgres: half-open": Kind(_network("postgres", "silent"), "applier"),
    "broker: kill -9": Kind(_broker_kill, "applier"),
    "broker: connections cut": Kind(_network("kafka", "cut"), "applier"),
    "broker: connections slow": Kind(_network("kafka", "slow"), "applier"),
    "broker: half-open": Kind(_network("kafka", "silent"), "applier"),
    "registry: kill -9 while a role starts": Kind(_registry_kill, "applier"),
    "registry: connections cut": Kind(_network("registry", "cut"), "none"),
    "publisher: sends again": Kind(_replay(shuffled=False), "none"),
    "publisher: sends again out of order": Kind(_replay(shuffled=True), "none"),
    **{
        f"crash point: {point}": Kind(_crash(point), "relay" if point.startswith("relay") else "applier")
        for point in sorted(POINTS)
    },
}


def schedule(seed: int, faults: int) -> list[str]:
    """The kinds in their order: every kind about as often as the others; the seed fixes the order."""
    chance = random.Random(seed)
    order: list[str] = []
    while len(order) < faults:
        deck = list(KINDS)
        chance.shuffle(deck)
        order += deck
    return order[:faults]
