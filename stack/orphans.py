"""Orphans of a killed supervisor: found in the state file, identified by pid and start id."""

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

_STOP_SIGNALS = {"postgres": signal.SIGINT}
_GRACE_SECONDS = 10.0
_log = structlog.stdlib.get_logger("stack.leftovers")


def end_orphans(home: Home) -> int:
    """End every running process in the state file.

    Hazard: call it only while holding the home lock. It would also end the processes of a live supervisor.

    :returns: number of processes that were running.
    """
    state = read_stack_file(home.root)
    if state is None:
        return 0
    orphans = [
        (record.pid, record.mark, _STOP_SIGNALS.get(record.role, signal.SIGTERM))
        for record in state.processes
        if record.pid is not None and record.mark is not None and is_alive(record.pid, record.mark)
    ]
    for pid, start_id, stop_signal in orphans:
        _log.warning("stack.leftover_ended", pid=pid)
        _signal(pid, start_id, stop_signal)
    if not _wait_until_gone(_GRACE_SECONDS, [(pid, start_id) for pid, start_id, _ in orphans]):
        for pid, start_id, _ in orphans:
            _signal(pid, start_id, signal.SIGKILL)
        _wait_until_gone(_GRACE_SECONDS, [(pid, start_id) for pid, start_id, _ in orphans])
    return len(orphans)


def _signal(pid: int, start_id: str, stop_signal: signal.Signals) -> None:
    if is_alive(pid, start_id):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, stop_signal)


def _wait_until_gone(seconds: float, processes: Iterable[tuple[int, str]]) -> bool:
    deadline = time.monotonic() + seconds
    waiting = list(processes)
    while waiting and time.monotonic() < deadline:
        waiting = [(pid, start_id) for pid, start_id in waiting if is_alive(pid, start_id)]
        time.sleep(0.05)
    return not waiting
