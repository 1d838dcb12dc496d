"""A run: faults in their seeded order while commands flow, an audit at every pause and at the end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tests.faults.kinds import KINDS, Done, schedule
from tests.faults.scene import Scene
from tests.harness.audit import run_audit
from tests.harness.roles import wait_until
from tests.harness.tally import Tally

#: Longest time that progress may take to come back after any fault.
PATIENCE: Final = 150.0
_LOOK: Final = 0.05
_AUDITS: Final = 4


@dataclass
class Struck:
    """What one fault did.

    :param recovery: seconds until every partition (or the relay) moved again; ``None``: not measured,
        because the next fault came first or nothing shows it.
    :param drain: seconds from the end of an outage until everything acknowledged by then was applied.
    """

    number: int
    kind: str
    at: float
    lasted: float
    reached: bool = True
    outage: float | None = None
    recovery: float | None = None
    drain: float | None = None


@dataclass
class Checked:
    """What a pause found: totals so far, by topics alone, and the auditor's verdict."""

    after: int
    acked: int
    lost: int
    doubled: int
    inverted: int
    results: int
    events: int
    audit: dict[str, list[Any]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.inverted or self.audit)


class StillStuck(AssertionError):
    """Progress did not come back after a fault."""


@dataclass
class Engine:
    """Strikes the faults ``start … faults`` of a seed.

    :param pause_every: faults between two audits.
    :param commands: to be published at least, beyond the last fault if need be.
    """

    scene: Scene
    seed: int
    faults: int
    pause_every: int
    start: int = 0
    tally: Tally = field(init=False)
    stopping: Callable[[], bool] = lambda: False
    commands: int = 0

    def __post_init__(self) -> None:
        self.tally = Tally(self.scene.settings)

    def run(self) -> Iterator[Struck | Checked]:
        """Each fault as it is over, each pause as it was audited; the last is an audit.

        :raises StillStuck: no progress within ``PATIENCE`` seconds after a fault.
        """
        wait_until(lambda: len(self.scene.probe.applied) > 0, 90, lambda: "the first command to be applied")
        number = self.start
        for number, kind in enumerate(schedule(self.seed, self.faults)[self.start :], start=self.start + 1):
            yield self._strike(number, kind)
            if self.stopping():
                break
            if (number - self.start) % self.pause_every == 0 and number < self.faults:
                checked = self.check(number)
                yield checked
                if not checked.clean:
                    return
                self.scene.load.resume()
        load = self.scene.load
        while load.sent < self.commands and not load.done.is_set() and not self.stopping():
            time.sleep(_LOOK)
        yield self.check(number)

    def check(self, after: int) -> Checked:
        """Pause the publisher, let the pipeline come to rest, count and audit."""
        began = time.monotonic()
        load = self.scene.load
        load.pause()
        broken: dict[str, list[Any]] = {}
        for _ in range(_AUDITS):
            code, report = run_audit(self.scene.settings, wait=int(PATIENCE))
            broken = {check["name"]: check["violations"] for check in report["checks"] if check["violations"]}
            if broken or code == 0:
                break
            # The timers had more to say between rest and audit.
            broken = {"not at rest": [report["lagBy"], report["notes"]]}
        count = self.tally.count(load.acked)
        return Checked(
            after, load.acked_count, **asdict(count), audit=broken, seconds=time.monotonic() - began
        )

    def _strike(self, number: int, name: str) -> Struck:
        chance = random.Random(f"{self.seed}/{number}")
        time.sleep(chance.uniform(0.1, 1.5))
        kind, began = KINDS[name], time.monotonic()
        done = kind.strike(self.scene, chance)
        struck = Struck(
            number, name, time.time(), time.monotonic() - began, reached=done.reached, outage=done.outage
        )
        # One fault in five strikes into the recovery of the one before.
        if chance.random() < 0.8 and not self.scene.load.done.is_set() and kind.watch != "none":
            self._measure(struck, done, kind.watch)
        return struck

    def _measure(self, struck: Struck, done: Done, watch: str) -> None:
        probe, ends = self.scene.probe, self.scene.load.acked_ends()
        deadline = time.monotonic() + PATIENCE
        while struck.recovery is None or (struck.outage is not None and struck.drain is None):
            if struck.recovery is None:
                moved = probe.all_moved_since if watch == "applier" else probe.relay_moved_since
                if moved(done.since):
                    struck.recovery = time.monotonic() - done.since
            if struck.outage is not None and struck.drain is None and probe.caught_up(ends):
                struck.drain = time.monotonic() - done.since
            if self.scene.load.done.is_set() or self.stopping():
                return  # nothing more is published, so nothing need move
            if time.monotonic() > deadline:
                stuck = {n: end - probe.applied.get(n, 0) for n, end in ends.items()}
                raise StillStuck(
                    f"no progress {PATIENCE:.0f} s after fault {struck.number} ({struck.kind}): {stuck}"
                )
            time.sleep(_LOOK)
