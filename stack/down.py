"""Stop the stack of a home from another process, in whatever state it is."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from runtime.process_identity import is_alive
from runtime.running_stack import read_running_stack
from schemas.errors import Stop
from stack.home import Home, HomeLock
from stack.options import StackOptions
from stack.orphans import end_orphans
from stack.postgres_server import PostgresServer

_LONGEST_STOP_SECONDS = 60.0


def stop_stack(home: Path) -> bool:
    """Stop the supervisor and wait for it; then end the orphans of a killed one.

    :returns: true if anything was running.
    :raises Stop: the supervisor does not end in time.
    """
    if not home.exists():
        return False
    stack_home = Home(home)
    stack_home.create()
    running = read_running_stack(home)
    if running is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGTERM)
        deadline = time.monotonic() + _LONGEST_STOP_SECONDS
        while is_alive(running.pid, running.mark):
            if time.monotonic() > deadline:
                raise Stop(
                    f"The supervisor (process {running.pid}) has not stopped in "
                    f"{_LONGEST_STOP_SECONDS:.0f} s. See {stack_home.logs / 'supervisor.log'}. To force it:"
                    f" kill -9 {running.pid}, then `interactions down` again."
                )
            time.sleep(0.05)
    if not home.exists():
        return True
    lock = HomeLock(stack_home)
    lock.acquire()
    try:
        left = end_orphans(stack_home)
        PostgresServer(stack_home, StackOptions(), port=0).clean()
    finally:
        lock.release()
    return running is not None or left > 0
