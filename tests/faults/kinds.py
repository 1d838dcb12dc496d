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
from tests.faults.testbed import Scene
from tests.harness.roles import wait_until
from tests.harness.servers import server_pid

#: How long a server may take to come back, and a crash point to be reached.
_RETURN_SECONDS: Final = 120.0
_REACH_SECONDS: Final = 120.0
_OUTAGE_SECONDS: Final = (5.0, 7.0)
_PROXIES: Final = {"postgres": "postgres", "kafka": "kafka", "schema-registry": "registry"}


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


Lane = Literal["appliers", "crashes", "relay", "servers"]


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    :param watch: whose progress shows the recovery.
    :param lane: what it strikes; faults of different lanes may strike at the same time.
    :param weight: how often it is drawn, compared with others.
    """

    strike: Strike
    watch: Literal["applier", "relay", "none"]
    lane: Lane
    weight: int = 2


def _signal(role: str, number: signal.Signals) -> Strike:
    def strike(scene: Scene, chance: random.Random) -> Done:
        now = time.monotonic()
        scene.crew.send(scene.crew.names(role)[0], number)
        return Done(now)

    return strike


def _pause(role: str) -> Strike:
    """A zombie: silent for longer than the session, then awake with everything it had in hand."""

    def strike(scene: Scene, chance: random.Random) -> Done:
        name, now = scene.crew.names(role)[0], time.monotonic()
        scene.crew.send(name, signal.SIGSTOP)
        try:
            time.sleep(scene.session_seconds * chance.uniform(1.2, 2.0))
        finally:
            scene.crew.send(name, signal.SIGCONT)
        # The other applier takes the partitions over; a lone relay or timer is back when it wakes.
        return Done(now if role == "applier" else time.monotonic())

    return strike


def _clock(role: str) -> Strike:
    """A role's wall clock jumps by an hour and back; the broker's and the database's do not."""

    def strike(scene: Scene, chance: random.Random) -> Done:
        reached = scene.crew.step_clock(role, chance.choice((3600, -3600)))
        try:
            time.sleep(chance.uniform(2.0, 5.0))
        finally:
            scene.crew.step_clock(role, 0)
        return Done(time.monotonic(), reached=reached)

    return strike


def _crash(point: str) -> Strike:
    role = "relay" if point.startswith("relay") else "applier"

    def strike(scene: Scene, chance: random.Random) -> Done:
        # The last applier; signals strike the first, so that one does not hide the other.
        member = scene.crew.members[scene.crew.names(role)[-1]]
        armed_at, since = time.monotonic(), scene.crew.arm(member.name, f"{point}:{chance.randint(1, 3)}")
        wait_until(
            lambda: (
                member.logged(f"crash point {point} reached", since)
                or time.monotonic() - armed_at > _REACH_SECONDS
            ),
            _REACH_SECONDS + 5,
        )
        reached = member.logged(f"crash point {point} reached", since)
        if not reached:
            scene.crew.disarm(member.name)
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
    """End a server; for the roles it is away for a while at least, so that a ratio means something."""
    wait_until(lambda: server_pid(scene.settings, role) is not None, _RETURN_SECONDS)
    proxy = scene.proxies[_PROXIES[role]]
    pid, now = server_pid(scene.settings, role), time.monotonic()
    assert pid is not None
    proxy.cut()
    try:
        os.kill(pid, number)
        if role == "postgres":
            wait_until(lambda: not scene.probe.answers, 10, lambda: "Postgres did not stop")
        wait_until(
            lambda: (
                server_pid(scene.settings, role) not in (None, pid)
                and answers()
                and time.monotonic() - now > _OUTAGE_SECONDS[0]
            ),
            _RETURN_SECONDS,
            lambda: f"{role} did not come back",
        )
    finally:
        proxy.heal()
    return Done(time.monotonic(), outage=time.monotonic() - now)


def _network(server: str, what: Literal["cut", "slow", "silent"]) -> Strike:
    def strike(scene: Scene, chance: random.Random) -> Done:
        proxy, now = scene.proxies[server], time.monotonic()
        seconds = chance.uniform(*_OUTAGE_SECONDS)
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
    "applier: kill -9": Kind(_signal("applier", signal.SIGKILL), "applier", "appliers"),
    "applier: SIGTERM": Kind(_signal("applier", signal.SIGTERM), "applier", "appliers"),
    "applier: paused past its session": Kind(_pause("applier"), "applier", "appliers"),
    "applier: rebalance storm": Kind(_storm, "applier", "appliers"),
    "applier: wall clock steps by an hour": Kind(_clock("applier"), "applier", "appliers", 1),
    "relay: wall clock steps by an hour": Kind(_clock("relay"), "relay", "relay", 1),
    "timers: wall clock steps by an hour": Kind(_clock("timers"), "none", "relay", 1),
    "relay: kill -9": Kind(_signal("relay", signal.SIGKILL), "relay", "relay"),
    "relay: SIGTERM": Kind(_signal("relay", signal.SIGTERM), "relay", "relay"),
    "relay: paused": Kind(_pause("relay"), "relay", "relay"),
    "timers: kill -9": Kind(_signal("timers", signal.SIGKILL), "none", "relay"),
    "timers: SIGTERM": Kind(_signal("timers", signal.SIGTERM), "none", "relay", 1),
    "timers: paused": Kind(_pause("timers"), "none", "relay"),
    "postgres: immediate stop": Kind(_postgres_stop, "applier", "servers", 1),
    "postgres: backends terminated": Kind(_backends, "applier", "servers", 1),
    "postgres: connections cut": Kind(_network("postgres", "cut"), "applier", "servers", 1),
    "postgres: connections slow": Kind(_network("postgres", "slow"), "applier", "servers", 1),
    "postgres: half-open": Kind(_network("postgres", "silent"), "applier", "servers", 1),
    "broker: kill -9": Kind(_broker_kill, "applier", "servers", 1),
    "broker: connections cut": Kind(_network("kafka", "cut"), "applier", "servers", 1),
    "broker: connections slow": Kind(_network("kafka", "slow"), "applier", "servers", 1),
    "broker: half-open": Kind(_network("kafka", "silent"), "applier", "servers", 1),
    "registry: kill -9 while a role starts": Kind(_registry_kill, "applier", "servers", 1),
    "registry: connections cut": Kind(_network("registry", "cut"), "none", "servers", 1),
    "publisher: sends again": Kind(_replay(shuffled=False), "none", "relay", 1),
    "publisher: sends again out of order": Kind(_replay(shuffled=True), "none", "relay", 1),
    **{
        f"crash point: {point}": (
            Kind(_crash(point), "relay", "relay")
            if point.startswith("relay")
            else Kind(_crash(point), "applier", "crashes")
        )
        for point in sorted(POINTS)
    },
}
#: Faults in one deck: each kind as often as its weight says.
DECK: Final = sum(kind.weight for kind in KINDS.values())


def schedule(seed: int, faults: int) -> list[str]:
    """The kinds in their order, deck by shuffled deck; the seed fixes the order."""
    chance = random.Random(seed)
    order: list[str] = []
    while len(order) < faults:
        deck = [name for name, kind in KINDS.items() for _ in range(kind.weight)]
        chance.shuffle(deck)
        order += deck
    return order[:faults]
