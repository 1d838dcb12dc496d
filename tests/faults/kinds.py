"""Kinds of faults, by name: each is injected, lasts, is healed, and reports when recovery starts."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from runtime.crash_points import POINTS
from runtime.kafka import unavailable_reason
from runtime.postgres import connect
from tests.faults.testbed import Testbed
from tests.harness.roles import wait_until
from tests.harness.servers import server_pid

#: Time limits for a server to restart, and for a crash point to be reached.
_RETURN_SECONDS: Final = 120.0
_REACH_SECONDS: Final = 120.0
_OUTAGE_SECONDS: Final = (5.0, 7.0)
_PROXIES: Final = {"postgres": "postgres", "kafka": "kafka", "schema-registry": "registry"}


@dataclass
class Injection:
    """A fault that was injected and healed.

    :param since: start of recovery (``time.monotonic``): the kill itself, or the end of an outage.
    :param outage: seconds for which a server or a connection was unavailable.
    :param reached: false if it had no effect (a crash point not reached in time).
    """

    since: float
    outage: float | None = None
    reached: bool = True


Inject = Callable[[Testbed, random.Random], Injection]


Lane = Literal["appliers", "crashes", "relay", "servers"]


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    :param watch: role whose progress shows the recovery.
    :param lane: target; faults of different lanes may overlap.
    :param weight: occurrences per deck.
    """

    inject: Inject
    watch: Literal["applier", "relay", "none"]
    lane: Lane
    weight: int = 2


def _signal(role: str, number: signal.Signals) -> Inject:
    def inject(testbed: Testbed, chance: random.Random) -> Injection:
        now = time.monotonic()
        testbed.supervisor.send(testbed.supervisor.names(role)[0], number)
        return Injection(now)

    return inject


def _pause(role: str) -> Inject:
    """Zombie: paused for longer than its session timeout, then resumed with all its in-flight work."""

    def inject(testbed: Testbed, chance: random.Random) -> Injection:
        name, now = testbed.supervisor.names(role)[0], time.monotonic()
        testbed.supervisor.send(name, signal.SIGSTOP)
        try:
            time.sleep(testbed.session_seconds * chance.uniform(1.2, 2.0))
        finally:
            testbed.supervisor.send(name, signal.SIGCONT)
        # Another applier takes over the partitions; a single relay or timers process is back when it resumes.
        return Injection(now if role == "applier" else time.monotonic())

    return inject


def _clock(role: str) -> Inject:
    """Step a role's wall clock by an hour and back, not the broker's or the database's."""

    def inject(testbed: Testbed, chance: random.Random) -> Injection:
        reached = testbed.supervisor.step_clock(role, chance.choice((3600, -3600)))
        try:
            time.sleep(chance.uniform(2.0, 5.0))
        finally:
            testbed.supervisor.step_clock(role, 0)
        return Injection(time.monotonic(), reached=reached)

    return inject


def _crash(point: str) -> Inject:
    role = "relay" if point.startswith("relay") else "applier"

    def inject(testbed: Testbed, chance: random.Random) -> Injection:
        # The last applier; signals go to the first, so that one fault does not hide the other.
        member = testbed.supervisor.members[testbed.supervisor.names(role)[-1]]
        armed_at, since = (
            time.monotonic(),
            testbed.supervisor.arm(member.name, f"{point}:{chance.randint(1, 3)}"),
        )
        wait_until(
            lambda: (
                member.logged(f"crash point {point} reached", since)
                or time.monotonic() - armed_at > _REACH_SECONDS
            ),
            _REACH_SECONDS + 5,
        )
        reached = member.logged(f"crash point {point} reached", since)
        if not reached:
            testbed.supervisor.disarm(member.name)
        return Injection(time.monotonic(), reached=reached)

    return inject


def _rebalance_storm(testbed: Testbed, chance: random.Random) -> Injection:
    """Appliers that join and leave about every second."""
    for number in range(3):
        name = f"applier-guest-{number}"
        testbed.supervisor.add("applier", name)
        time.sleep(chance.uniform(1.0, 3.0))
        testbed.supervisor.remove(name, chance.choice([signal.SIGTERM, signal.SIGKILL]))
    return Injection(time.monotonic())


def _backends(testbed: Testbed, chance: random.Random) -> Injection:
    """Terminate the roles' Postgres backends, as in the failover of a connection pooler."""
    with connect(testbed.settings, application_name="faults", autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'interactions-%'"
        )
    return Injection(time.monotonic())


def _postgres_stop(testbed: Testbed, chance: random.Random) -> Injection:
    """Immediate shutdown: no checkpoint, WAL recovery at the next start."""
    return _server_down(testbed, "postgres", signal.SIGQUIT, lambda: testbed.probe.responsive)


def _broker_kill(testbed: Testbed, chance: random.Random) -> Injection:
    return _server_down(
        testbed, "kafka", signal.SIGKILL, lambda: unavailable_reason(testbed.settings) is None
    )


def _registry_kill(testbed: Testbed, chance: random.Random) -> Injection:
    """Kill the registry, and restart a role while it is down."""
    name = chance.choice([*testbed.supervisor.names("applier"), *testbed.supervisor.names("relay")])
    testbed.supervisor.send(name, signal.SIGKILL)
    return _server_down(testbed, "schema-registry", signal.SIGKILL, lambda: True)


def _server_down(
    testbed: Testbed, role: str, number: signal.Signals, responsive: Callable[[], bool]
) -> Injection:
    """End a server; keep it unavailable for a minimum time, so that drain ÷ outage is meaningful."""
    wait_until(lambda: server_pid(testbed.settings, role) is not None, _RETURN_SECONDS)
    proxy = testbed.proxies[_PROXIES[role]]
    pid, now = server_pid(testbed.settings, role), time.monotonic()
    assert pid is not None
    proxy.cut()
    try:
        os.kill(pid, number)
        if role == "postgres":
            wait_until(lambda: not testbed.probe.responsive, 10, lambda: "Postgres did not stop")
        wait_until(
            lambda: (
                server_pid(testbed.settings, role) not in (None, pid)
                and responsive()
                and time.monotonic() - now > _OUTAGE_SECONDS[0]
            ),
            _RETURN_SECONDS,
            lambda: f"{role} did not come back",
        )
    finally:
        proxy.heal()
    return Injection(time.monotonic(), outage=time.monotonic() - now)


def _network(server: str, what: Literal["cut", "slow", "silent"]) -> Inject:
    def inject(testbed: Testbed, chance: random.Random) -> Injection:
        proxy, now = testbed.proxies[server], time.monotonic()
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
        return Injection(time.monotonic(), outage=time.monotonic() - now if what != "slow" else None)

    return inject


def _replay(shuffled: bool) -> Inject:
    def inject(testbed: Testbed, chance: random.Random) -> Injection:
        testbed.load.replay(chance.randint(50, 400), shuffled=shuffled)
        return Injection(time.monotonic())

    return inject


KINDS: Final[dict[str, Kind]] = {
    "applier: kill -9": Kind(_signal("applier", signal.SIGKILL), "applier", "appliers"),
    "applier: SIGTERM": Kind(_signal("applier", signal.SIGTERM), "applier", "appliers"),
    "applier: paused past its session": Kind(_pause("applier"), "applier", "appliers"),
    "applier: rebalance storm": Kind(_rebalance_storm, "applier", "appliers"),
    "applier: wall clock steps by an hour": Kind(_clock("applier"), "applier", "appliers", 1),
    "relay: wall clock steps by an hour": Kind(_clock("relay"), "relay", "relay", 1),
    "timers: wall clock steps by an hour": Kind(_clock("timers"), "none", "relay", 1),
    "relay: kill -9": Kind(_signal("relay", signal.SIGKILL), "relay", "relay"),
    "relay: SIGTERM": Kind(_signal("relay", signal.SIGTERM), "relay", "relay"),
    "relay: paused": Kind(_pause("relay"), "relay", "relay"),
    "timers: kill -9": Kind(_signal("timers", signal.SIGKILL), "none", "relay"),
    "timers: SIGTERM": Kind(_signal("timers", signal.SIGTERM), "none", "relay", 1),
    "timers: paused": Kind(_pause("timers"), "none", "relay"),
    "watch: kill -9": Kind(_signal("watch", signal.SIGKILL), "none", "relay", 1),
    "watch: paused": Kind(_pause("watch"), "none", "relay", 1),
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
#: Faults per deck: each kind as often as its weight.
DECK: Final = sum(kind.weight for kind in KINDS.values())


def schedule(seed: int, faults: int) -> list[str]:
    """Order of faults: shuffled decks, determined by the seed."""
    chance = random.Random(seed)
    order: list[str] = []
    while len(order) < faults:
        deck = [name for name, kind in KINDS.items() for _ in range(kind.weight)]
        chance.shuffle(deck)
        order += deck
    return order[:faults]
