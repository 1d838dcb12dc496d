"""``python -m tests.faults.soak``: measure the growth of the roles' memory under steady load."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from runtime.settings import Settings
from tests.faults.engine import Engine
from tests.faults.report import replace_part, soak_text
from tests.faults.testbed import Testbed, start_testbed
from tests.harness.histories import history
from tests.harness.servers import TEMPLATE, own_servers
from tests.harness.wire import publish
from tests.stack_fixtures import own_world

#: Maximum growth in percent per hour of the memory after the warm-up. Python takes memory in arenas of 1 MiB,
#: and a role has 70 to 130 MiB: over a quarter of an hour, a single arena already looks like 4 % per hour.
GOAL: Final = 5.0
_POLL_SECONDS: Final = 5.0
_BACKLOG: Final = 20_000
console = Console(soft_wrap=True)

#: Resident memory, and its anonymous part (not backed by files).
_METRICS: Final = {"Rss": "resident", "Anonymous": "anonymous"}
#: Role → metric → (seconds since the start, MiB).
Samples = dict[str, dict[str, list[tuple[float, float]]]]


def slope_percent_per_hour(samples: Sequence[tuple[float, float]]) -> float:
    """Growth by least squares, in percent per hour of the line's first value.

    :param samples: at least two (seconds, MiB) at different times.
    """
    count = len(samples)
    mean_at = sum(at for at, _ in samples) / count
    mean = sum(size for _, size in samples) / count
    spread = sum((at - mean_at) ** 2 for at, _ in samples)
    slope = sum((at - mean_at) * (size - mean) for at, size in samples) / spread
    first = mean + slope * (samples[0][0] - mean_at)
    return 100 * slope * 3600 / first


def main(
    minutes: Annotated[float, typer.Option(min=0.2, help="Duration, warm-up included.")] = 60.0,
    warm_up: Annotated[float, typer.Option(min=0.0, help="Minutes to leave out.")] = 15.0,
    pace: Annotated[float, typer.Option(min=1, help="Commands per second.")] = 100.0,
    write: Annotated[bool, typer.Option(help="Write the table into docs/reliability.md.")] = True,
) -> None:
    """Run applier, relay and timers under load; exit 1 if one grows or the audit is not clean."""
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as logs,
        own_servers(10_000) as servers,
        own_world(servers, TEMPLATE) as world,
        _backlog(world),
        start_testbed(
            world,
            Path(logs),
            seed=1,
            pace=pace,
            commands=10_000_000,
            session_seconds=10.0,
            appliers=1,
            entities=2000,
            relabels=0.0005,
        ) as testbed,
    ):
        samples = _watch(testbed, minutes * 60)
        acked, restarts = (
            testbed.load.acked_count,
            sum(m.starts - 1 for m in testbed.supervisor.members.values()),
        )
        checked = Engine(testbed, 1, [], pause_every=1).check(0)
    rows = []
    for role, metrics in samples.items():
        for metric, seen in metrics.items():
            counted = [sample for sample in seen if sample[0] >= warm_up * 60]
            rows.append((role, metric, counted[0][1], counted[-1][1], slope_percent_per_hour(counted)))
    how = (
        f"A backlog of {_BACKLOG:,} commands, then {minutes:g} minutes, the first {warm_up:g} of them"
        f" left out; {pace:g} commands per second, {acked:,} in total; {restarts} restarts;"
        f" audit {'clean' if checked.clean else 'NOT clean'}"
    )
    text = soak_text(rows, how, GOAL)
    if write:
        replace_part("soak", text)
    console.print(text, markup=False)
    sys.exit(0 if checked.clean and not restarts and all(row[4] < GOAL for row in rows) else 1)


@contextlib.contextmanager
def _backlog(settings: Settings) -> Iterator[None]:
    """Publish a backlog before the roles start: full batches are their peak memory."""
    publish(settings, history(2, _BACKLOG, 2000, relabels=0.0005))
    yield


def _watch(testbed: Testbed, seconds: float) -> Samples:
    samples: Samples = {}
    began = time.monotonic()
    while (at := time.monotonic() - began) < seconds:
        for member in list(testbed.supervisor.members.values()):
            process = member.process
            if process is not None and process.poll() is None:
                for metric, size in _memory(process.pid).items():
                    samples.setdefault(member.role, {}).setdefault(metric, []).append((at, size))
        time.sleep(_POLL_SECONDS)
    return samples


def _memory(pid: int) -> dict[str, float]:
    """Memory in MiB (proc(5), ``smaps_rollup``)."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in _METRICS:
            found[_METRICS[name]] = int(rest.split()[0]) / 1024
    return found


if __name__ == "__main__":
    typer.run(main)
