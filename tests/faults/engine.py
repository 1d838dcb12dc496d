"""A run: faults in their seeded order while commands flow, an audit at every pause and at the end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tests.faults.kinds import KINDS, Done
from tests.faults.lanes import Lanes, Struck
from tests.faults.testbed import Scene
from tests.harness.audit import run_audit
from tests.harness.output_counter import Tally
from tests.harness.roles import wait_until

#: Longest time that progress may take to come back after any fault.
PATIENCE: Final = 150.0
_LOOK: Final = 0.05
#: How long a lane waits for progress before it strikes again.
_LANE_SECONDS: Final = 5.0
_AUDITS: Final = 4
_PUBLISHED_SECONDS: Final = 60.0


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
    audited: bool = True
    audit: dict[str, list[Any]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.inverted or self.audit)


class StillStuck(AssertionError):
    """Progress did not come back after a fault."""


@dataclass
class Engine:
    """Strikes faults in their order while commands flow.

    :param order: the kinds by name.
    :param skip: numbers (from 1) of faults that were struck by an earlier run.
    :param pause_every: faults between two pauses; each pause counts, the first, the one half-way and the
        last audit too.
    :param commands: to be published at least, beyond the last fault if need be.
    :param patient: wait out the recovery from every fault; else one in five strikes into the one before.
    :param lanes: let faults of different lanes overlap; else one after the other.
    """

    scene: Scene
    seed: int
    order: Sequence[str]
    pause_every: int
    skip: Set[int] = frozenset()
    stopping: Callable[[], bool] = lambda: False
    commands: int = 0
    lanes: bool = False
    patient: bool = False
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self.tally = Tally(self.scene.settings)

    def run(self) -> Iterator[Struck | Checked]:
        """Each fault as it is over, each pause as it was audited; the last is an audit.

        :raises StillStuck: no progress within ``PATIENCE`` seconds after a fault.
        """
        wait_until(lambda: len(self.scene.probe.applied) > 0, 300, lambda: "the first command to be applied")
        waiting = [(n, kind) for n, kind in enumerate(self.order, start=1) if n not in self.skip]
        pauses, pause, struck = max(1, len(waiting) // self.pause_every), 0, 0
        with Lanes(waiting, self._strike, together=self.lanes) as lanes:
            for found in lanes.struck():
                struck += 1
                yield found
                if self.stopping():
                    break
                if struck // self.pause_every > pause and struck < len(waiting):
                    pause = struck // self.pause_every
                    for late in lanes.hold():
                        struck += 1
                        yield late
                    checked = self.check(len(self.skip) + struck, audit=pause in {1, pauses // 2})
                    yield checked
                    if not checked.clean:
                        return
                    self.scene.load.resume()
                    lanes.go_on()
            for late in lanes.hold():
                struck += 1
                yield late
        load = self.scene.load
        while load.sent < self.commands and not load.done.is_set() and not self.stopping():
            time.sleep(_LOOK)
        yield self.check(len(self.skip) + struck)

    def check(self, after: int, *, audit: bool = True) -> Checked:
        """Pause the publisher, let the pipeline come to rest, count, and audit if asked to."""
        began = time.monotonic()
        load = self.scene.load
        load.pause()
        broken: dict[str, list[Any]] = {}
        for _ in range(_AUDITS if audit else 0):
            code, report = run_audit(self.scene.settings, wait=int(PATIENCE))
            broken = {check["name"]: check["violations"] for check in report["checks"] if check["violations"]}
            if broken or code == 0:
                break
            # The timers had more to say between rest and audit.
            broken = {"not at rest": [report["lagBy"], report["notes"]]}
        ends = load.acked_ends()
        wait_until(
            lambda: self.scene.probe.caught_up(ends), PATIENCE, lambda: f"{self._left(ends)} to be applied"
        )
        deadline = time.monotonic() + _PUBLISHED_SECONDS
        while (count := self.tally.count(load.acked)).lost and time.monotonic() < deadline:
            time.sleep(_LOOK)
        return Checked(
            after,
            load.acked_count,
            **asdict(count),
            audited=audit,
            audit=broken,
            seconds=time.monotonic() - began,
        )

    def _strike(self, number: int, name: str) -> Struck:
        chance = random.Random(f"{self.seed}/{number}")
        time.sleep(chance.uniform(0.1, 1.5))
        if self.patient:  # the death of one that holds nothing would not be felt
            crew = self.scene.crew
            wait_until(
                lambda: crew.at_work("applier", "applier.assigned"), 60, lambda: "every applier at work"
            )
        kind, began = KINDS[name], time.monotonic()
        done = kind.strike(self.scene, chance)
        struck = Struck(
            number, name, time.time(), time.monotonic() - began, reached=done.reached, outage=done.outage
        )
        if (
            (self.patient or chance.random() < 0.8)
            and not self.scene.load.done.is_set()
            and kind.watch != "none"
        ):
            self._measure(struck, done, kind.watch)
        return struck

    def _measure(self, struck: Struck, done: Done, watch: str) -> None:
        probe, ends = self.scene.probe, self.scene.load.acked_ends()
        began = time.monotonic()
        deadline = began + PATIENCE
        while struck.recovery is None or (struck.outage is not None and struck.drain is None):
            if struck.recovery is None:
                moved = probe.all_moved_since if watch == "applier" else probe.relay_moved_since
                if moved(done.since):
                    struck.recovery = time.monotonic() - done.since
            if struck.outage is not None and struck.drain is None and probe.caught_up(ends):
                struck.drain = time.monotonic() - done.since
            if self.scene.load.done.is_set() or self.stopping():
                return  # nothing more is published, so nothing need move
            if self.lanes and time.monotonic() > began + _LANE_SECONDS:
                return  # the others strike all the time; whether it gets through shows at the next pause
            if time.monotonic() > deadline:
                what = f"fault {struck.number} ({struck.kind})"
                raise StillStuck(f"no progress {PATIENCE:.0f} s after {what}: {self._left(ends)}")
            time.sleep(_LOOK)

    def _left(self, ends: dict[int, int]) -> dict[int, int]:
        return {number: end - self.scene.probe.applied.get(number, 0) for number, end in ends.items()}
