"""Run one Faust app in the foreground; the only place that creates a Faust worker."""

from __future__ import annotations

import faulthandler
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import faust

from schemas.errors import Stop


class Failing(Protocol):
    """Service of an app that records why it failed."""

    failure: BaseException | None


class Worker(faust.Worker):
    """Faust's worker, with debugging signals that never reveal data."""

    def _on_sigusr1(self) -> None:
        # Invariant: no customer text in a log. Faust's own handler logs all local variables.
        faulthandler.dump_traceback(all_threads=True)

    def _on_sigusr2(self) -> None:
        """Ignore the signal: Faust's own handler stops the process in a debugger."""


def run_worker(make_app: Callable[[Path], faust.App], service: Failing, name: str) -> None:
    """Run an app until SIGTERM or SIGINT.

    :param make_app: creates the app; receives a temporary folder that is deleted at the end.
    :param name: name of the app, for the error message.
    :raises Stop: the service failed; the reason is in the log and in the message.
    """
    with tempfile.TemporaryDirectory(prefix="interactions-") as directory:
        worker = Worker(
            make_app(Path(directory)),
            loglevel="WARN",
            override_logging=False,
            redirect_stdouts=False,
            quiet=True,
        )
        worker.spinner = None
        try:
            worker.execute_from_commandline()
        except SystemExit as ending:
            # Faust only sets an exit code; the service's own failure, if there is one, is more specific.
            if ending.code and service.failure is None:
                raise Stop(f"{name} ended unexpectedly; see the log above") from ending
    if service.failure is not None:
        raise Stop(f"{service.failure}") from service.failure
