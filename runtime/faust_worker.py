"""Runs one Faust app in the foreground: the only place where a Faust worker is made."""

from __future__ import annotations

import faulthandler
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import faust

from schemas.errors import Stop


class Failing(Protocol):
    """The service of an app; what it failed of is told to whoever runs it."""

    failure: BaseException | None


class Worker(faust.Worker):
    """Faust's worker; a signal to look inside shows where threads are and never what they hold."""

    def _on_sigusr1(self) -> None:
        # Law: no customer text in a log. Faust's own way writes every local variable.
        faulthandler.dump_traceback(all_threads=True)

    def _on_sigusr2(self) -> None:
        """Faust's own way stops the process in a debugger."""


def run_worker(make_app: Callable[[Path], faust.App], service: Failing, name: str) -> None:
    """Run an app until SIGTERM or SIGINT.

    :param make_app: given a folder of its own that is deleted at the end.
    :param name: what runs, for the message.
    :raises Stop: the service failed; its reason is in the log and in the message.
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
            # Faust ends by exit code alone; the service's own failure, if there is one, says more.
            if ending.code and service.failure is None:
                raise Stop(f"{name} ended unexpectedly; see the log above") from ending
    if service.failure is not None:
        raise Stop(f"{service.failure}") from service.failure
