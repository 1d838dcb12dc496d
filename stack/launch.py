"""Start a supervisor in another process and wait until its stack is ready."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from runtime.running_stack import RunningStack, read_running_stack
from runtime.settings import ENV_PREFIX
from schemas.errors import Stop
from stack.child import log_tail
from stack.home import Home, HomeLock

_POLL_SECONDS = 0.05


def launch_stack(
    home: Path,
    roles: str,
    *,
    ephemeral: bool = False,
    stop_with_parent: bool = False,
    stop_with: int | None = None,
    progress: Callable[[str], None] = lambda _step: None,
) -> RunningStack:
    """Run ``interactions up`` in the background and return once everything is ready.

    :param roles: as in ``interactions up --roles``.
    :param ephemeral: delete ``home`` when the stack stops.
    :param stop_with_parent: stop the stack when this process ends, for whatever reason.
    :param stop_with: stop the stack when the process with this pid ends.
    :param progress: called with each step.
    :raises Stop: the stack did not start; the message has the reason, and nothing is left running.
    """
    stack_home = Home(home)
    stack_home.create()
    # Fail before touching any file of a running stack.
    lock = HomeLock(stack_home)
    lock.acquire()
    lock.release()
    stack_home.failure_note.unlink(missing_ok=True)
    arguments = [sys.executable, "-m", "cli.main", "up", "--roles", roles]
    arguments += ["--delete-home"] if ephemeral else []
    watched = os.getpid() if stop_with_parent else stop_with
    arguments += ["--stop-with", str(watched)] if watched is not None else []
    log_file = stack_home.logs / "supervisor.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            arguments,
            env={**os.environ, f"{ENV_PREFIX}HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _wait_ready(stack_home, process, log_file, progress)
    except BaseException:
        # The start failed or was interrupted: leave no partial stack behind.
        process.terminate()
        process.wait()
        raise


def _wait_ready(
    home: Home, process: subprocess.Popen[bytes], log_file: Path, progress: Callable[[str], None]
) -> RunningStack:
    shown = ""
    while True:
        ended = process.poll()
        running = read_running_stack(home.root)
        if running is not None and running.pid == process.pid:
            if running.step != shown:
                shown = running.step
                progress(shown)
            if running.ready:
                # The supervisor outlives this process. Mark it as reaped, or Popen would warn at exit.
                process.returncode = 0
                return running
        if ended is not None:
            raise Stop(_failure_reason(home, log_file, ended))
        time.sleep(_POLL_SECONDS)


def _failure_reason(home: Home, log_file: Path, code: int) -> str:
    try:
        return home.failure_note.read_text()
    except FileNotFoundError:
        return f"The supervisor ended with exit code {code}. Last lines of {log_file}:\n{log_tail(log_file)}"
