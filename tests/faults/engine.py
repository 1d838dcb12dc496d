"""Fault engine: inject faults in seeded order while commands flow; check at every pause and at the end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from runtime.postgres import connect
from tests.faults.kinds import KINDS, Injection
from tests.faults.lanes import FaultOutcome, Lanes
from tests.faults.testbed import Testbed
from tests.harness.audit import run_audit
from tests.harness.output_counter import OutputCounter
from tests.harness.roles import wait_until

#: Maximum time without progress after any fault.
PROGRESS_TIMEOUT: Final = 150.0
_POLL: Final = 0.05
#: Time that a lane waits for progress before its next fault.
_LANE_SECONDS: Final = 5.0
_AUDITS: Final = 4
_PUBLISHED_SECONDS: Final = 60.0


@dataclass
class CheckResult:
    """Result of one check: totals so far, counted from the topics alone, and the auditor's verdict."""

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


class NoProgressError(AssertionError):
    """No progress after a fault within the time limit."""


@dataclass
class Engine:
    """Inject faults in order while commands flow.

    :param order: names of the faults.
    :param skip: numbers (from 1) of faults injected by an earlier run.
    :param pause_every: faults between two checks. Every check counts outputs; the first, the middle and the
        last one audit too.
    :param commands: minimum to publish, if necessary after the last fault.
    :param wait_for_recovery: wait for recovery from every fault; otherwise one in five faults hits during
        the recovery from the previous one.
    :param lanes: let faults of different lanes overlap; otherwise they are sequential.
    """

    testbed: Testbed
    seed: int
    order: Sequence[str]
    pause_every: int
    skip: Set[int] = frozenset()
    stopping: Callable[[], bool] = lambda: False
    commands: int = 0
    lanes: bool = False
    wait_for_recovery: bool = False
    counter: OutputCounter = field(init=False)

    def __post_init__(self) -> None:
        self.counter = OutputCounter(self.testbed.settings)

    def run(self) -> Iterator[FaultOutcome | CheckResult]:
        """Yield each fault when it is over and each check; the last one audits.

        :raises NoProgressError: no progress within ``PROGRESS_TIMEOUT`` seconds after a fault.
        """
        wait_until(
            lambda: len(self.testbed.probe.applied) > 0, 300, lambda: "the first command to be applied"
        )
        waiting = [(n, kind) for n, kind in enumerate(self.order, start=1) if n not in self.skip]
        pauses, pause, finished = max(1, len(waiting) // self.pause_every), 0, 0
        with Lanes(waiting, self._inject, concurrent=self.lanes) as lanes:
            for found in lanes.outcomes():
                finished += 1
                yield found
                if self.stopping():
                    break
                if finished // self.pause_every > pause and finished < len(waiting):
                    pause = finished // self.pause_every
                    for late in lanes.pause():
                        finished += 1
                        yield late
                    checked = self.check(len(self.skip) + finished, audit=pause in {1, pauses // 2})
                    yield checked
                    if not checked.clean:
                        return
                    self.testbed.load.resume()
                    lanes.resume()
            for late in lanes.pause():
                finished += 1
                yield late
        load = self.testbed.load
        while load.sent < self.commands and not load.done.is_set() and not self.stopping():
            time.sleep(_POLL)
        yield self.check(len(self.skip) + finished)

    def check(self, after: int, *, audit: bool = True) -> CheckResult:
        """Pause the publisher, wait until the pipeline is idle, count outputs, and audit if requested."""
        began = time.monotonic()
        load = self.testbed.load
        load.pause()
        broken: dict[str, list[Any]] = {}
        for _ in range(_AUDITS if audit else 0):
            code, report = run_audit(self.testbed.settings, wait=int(PROGRESS_TIMEOUT))
            broken = {check["name"]: check["violations"] for check in report["checks"] if check["violations"]}
            if broken or code == 0:
                break
            # The timers published more commands between quiescence and audit.
            broken = {"not at rest": [report["lagBy"], report["notes"]]}
        if found := self._false_alarms():
            broken["watch"] = found
        ends = load.acked_ends()
        wait_until(
            lambda: self.testbed.probe.caught_up(ends),
            PROGRESS_TIMEOUT,
            lambda: f"{self._left(ends)} to be applied",
        )
        deadline = time.monotonic() + _PUBLISHED_SECONDS
        while (count := self.counter.count(load.acked)).lost and time.monotonic() < deadline:
            time.sleep(_POLL)
        return CheckResult(
            after,
            load.acked_count,
            **asdict(count),
            audited=audit,
            audit=broken,
            seconds=time.monotonic() - began,
        )

    def _false_alarms(self) -> list[Any]:
        """List what the watch has reported so far, or that it did nothing: no fault damages a row."""
        with connect(self.testbed.settings, application_name="faults", autocommit=True) as connection:
            found = connection.execute("SELECT check_name, subject_id::text, what FROM integrity_violations")
            alarms: list[Any] = [list(row) for row in found]
            swept = connection.execute("SELECT FROM watch_progress WHERE complete_at IS NOT NULL").fetchone()
        return alarms if swept is not None else [*alarms, "the watch has not completed a sweep"]

    def _inject(self, number: int, name: str) -> FaultOutcome:
        chance = random.Random(f"{self.seed}/{number}")
        time.sleep(chance.uniform(0.1, 1.5))
        if self.wait_for_recovery:  # a fault on an applier without partitions would have no effect
            supervisor = self.testbed.supervisor
            wait_until(
                lambda: supervisor.all_logged("applier", "applier.assigned"),
                60,
                lambda: "every applier at work",
            )
        kind, began = KINDS[name], time.monotonic()
        injection = kind.inject(self.testbed, chance)
        outcome = FaultOutcome(
            number,
            name,
            time.time(),
            time.monotonic() - began,
            reached=injection.reached,
            outage=injection.outage,
        )
        if (
            (self.wait_for_recovery or chance.random() < 0.8)
            and not self.testbed.load.done.is_set()
            and kind.watch != "none"
        ):
            self._measure(outcome, injection, kind.watch)
        return outcome

    def _measure(self, outcome: FaultOutcome, injection: Injection, watch: str) -> None:
        probe, ends = self.testbed.probe, self.testbed.load.acked_ends()
        began = time.monotonic()
        deadline = began + PROGRESS_TIMEOUT
        while outcome.recovery is None or (outcome.outage is not None and outcome.drain is None):
            if outcome.recovery is None:
                moved = probe.all_moved_since if watch == "applier" else probe.relay_moved_since
                if moved(injection.since):
                    outcome.recovery = time.monotonic() - injection.since
            if outcome.outage is not None and outcome.drain is None and probe.caught_up(ends):
                outcome.drain = time.monotonic() - injection.since
            if self.testbed.load.done.is_set() or self.stopping():
                return  # nothing more is published, so no progress is due
            if self.lanes and time.monotonic() > began + _LANE_SECONDS:
                return  # other lanes keep injecting; the next check shows whether it recovered
            if time.monotonic() > deadline:
                what = f"fault {outcome.number} ({outcome.kind})"
                raise NoProgressError(
                    f"no progress {PROGRESS_TIMEOUT:.0f} s after {what}: {self._left(ends)}"
                )
            time.sleep(_POLL)

    def _left(self, ends: dict[int, int]) -> dict[int, int]:
        return {number: end - self.testbed.probe.applied.get(number, 0) for number, end in ends.items()}
