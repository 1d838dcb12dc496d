"""Processes that a killed supervisor has left: found by the state file, told from others by start time."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable

import structlog

from runtime.process_identity import is_alive
from runtime.running_stack import read_stack_file
from stack.home import Home

_TERMINATION = {"postgres": signal.SIGINT}
_GRACE_SECONDS = 10.0
_log = structlog.stdlib.get_logger("stack.leftovers")


def end_leftovers(home: Home) -> int:
    """End every process that the state file names and that still runs. Returns how many there were.

    Call it only when no supervisor runs: it holds for the processes, not for their starter.
    """
    state = read_stack_file(home.root)
    if state is None:
        return 0
    left = [
        (record.pid, record.mark, _TERMINATION.get(record.role, signal.SIGTERM))
        for record in state.processes
        if record.pid is not None and record.mark is not None and is_alive(record.pid, record.mark)
    ]
    for pid, mark, how in left:
        _log.warning("stack.leftover_ended", pid=pid)
        _signal(pid, mark, how)
    if not _gone_within(_GRACE_SECONDS, [(pid, mark) for pid, mark, _ in left]):
        for pid, mark, _ in left:
            _signal(pid, mark, signal.SIGKILL)
        _gone_within(_GRACE_SECONDS, [(pid, mark) for pid, mark, _ in left])
    return len(left)


def _signal(pid: int, mark: str, how: signal.Signals) -> None:
    if is_alive(pid, mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)


def _gone_within(seconds: float, processes: Iterable[tuple[int, str]]) -> bool:
    deadline = time.monotonic() + seconds
    waiting = list(processes)
    while waiting and time.monotonic() < deadline:
        waiting = [(pid, mark) for pid, mark in waiting if is_alive(pid, mark)]
        time.sleep(0.05)
    return not waiting
