"""Follow a job until it ends: progress, rate, remaining time, failed batches, and its report."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from cli.console import console
from cli.jobs.job_view import Batches, detail_lines, duration, job_json, progress_text
from runtime.settings import Settings
from schemas.errors import Reject, Retry

if TYPE_CHECKING:
    from runtime.postgres import Connection
    from sinks.jobs.store import Job

_POLL_SECONDS: Final = 0.3
#: Time in which a running jobs role takes a waiting job.
_PATIENCE_SECONDS: Final = 3.0
#: Between two lines where the output is no terminal.
_LINE_SECONDS: Final = 10.0
#: Rates are those of this time.
_RATE_SECONDS: Final = 15.0
INTERRUPTED: Final = 130
NO_ROLE: Final = (
    "No jobs role is running, so the job does not move. Start one with: interactions run jobs"
    " (or `interactions up`, which includes it)"
)


def follow_job(settings: Settings, job_id: str, as_json: bool) -> int:
    """Show a job until it ends or is paused. Ctrl-C ends the view only, the job goes on.

    :param as_json: show no progress, and print the job as one JSON object at the end.
    :returns: exit status: 0 completed; 1 failed, canceled or paused; 130 interrupted.
    :raises Reject: there is no such job.
    """
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with _screen(notes, quiet=as_json) as screen:
            job, batches = _until_it_ends(settings, job_id, screen)
    except KeyboardInterrupt:
        notes.print(
            f"The job goes on. Follow it with: interactions jobs show {job_id} --follow\n"
            f"Stop it with: interactions jobs pause {job_id}, or cancel instead of pause."
        )
        return INTERRUPTED
    if as_json:
        sys.stdout.write(json.dumps(job_json(job, batches)) + "\n")
    else:
        for line in detail_lines(job, batches):
            console().print(line, soft_wrap=True)
        if job.state in ("paused", "failed"):
            notes.print(f"Continue where it stopped with: interactions jobs resume {job.id}")
    return 0 if job.state == "completed" else 1


def read_batches(connection: Connection, job_id: str) -> Batches:
    """Read the batches of a job for its view."""
    from sinks.jobs.batches import batch_counts, failures

    return Batches(*batch_counts(connection, job_id), tuple(failures(connection, job_id)))


def require_job(connection: Connection, job_id: str) -> Job:
    """Find a job.

    :raises Reject: there is none with this id.
    """
    from sinks.jobs.store import find_job

    job = find_job(connection, job_id)
    if job is None:
        raise Reject("not_found", f"There is no job {job_id}. List them with: interactions jobs list")
    return job


class _Screen:
    """Progress of one job on standard error."""

    def __init__(self, notes: Console, progress: Progress | None, *, quiet: bool) -> None:
        self._notes = notes
        self._progress = progress
        self._quiet = quiet
        self._task = progress.add_task("", total=None, text="") if progress is not None else None
        self._seen: deque[tuple[float, int]] = deque()
        self._line_at = 0.0

    def note(self, text: str) -> None:
        """Print one line above the progress."""
        self._notes.print(text)

    def show(self, job: Job, failed: int) -> None:
        """Show the present state."""
        now = time.monotonic()
        self._seen.append((now, job.done))
        while now - self._seen[0][0] > _RATE_SECONDS:
            self._seen.popleft()
        if self._quiet:
            return
        text = self._text(job, failed)
        if self._progress is not None and self._task is not None:
            # An unknown total is a moving bar, never 0 %.
            self._progress.update(self._task, total=job.total or None, completed=job.done, text=text)
        elif now >= self._line_at:
            self._notes.print(text)
            self._line_at = now + _LINE_SECONDS

    def _text(self, job: Job, failed: int) -> str:
        (began, before), (ended, after) = self._seen[0], self._seen[-1]
        progress = f": {progress_text(job)}" if job.done or job.total else ""
        parts = [f"{escape(job.kind)} {job.state}{progress}"]
        if after > before:
            parts.append(f"{(after - before) / (ended - began):,.0f} rows/s")
        if job.remaining_seconds is not None:
            parts.append(f"about {duration(job.remaining_seconds)} left")
        if failed:
            parts.append(f"[red]{failed} failed batches[/red]")
        return ", ".join(parts)


@contextmanager
def _screen(notes: Console, *, quiet: bool) -> Iterator[_Screen]:
    if quiet or not notes.is_terminal:
        yield _Screen(notes, None, quiet=quiet)
        return
    columns = SpinnerColumn(), BarColumn(), TextColumn("{task.fields[text]}")
    with Progress(*columns, console=notes, transient=True) as progress:
        yield _Screen(notes, progress, quiet=False)


def _until_it_ends(settings: Settings, job_id: str, screen: _Screen) -> tuple[Job, Batches]:
    """Poll the job, through outages of the database, until it is finished or paused."""
    from runtime.postgres import Outage, connect

    began, warned, lost = time.monotonic(), False, False
    while True:
        try:
            with connect(settings, application_name="interactions-cli", autocommit=True) as connection:
                while True:
                    job, batches = require_job(connection, job_id), read_batches(connection, job_id)
                    lost = False
                    if job.state not in ("waiting", "running"):
                        return job, batches
                    screen.show(job, batches.failed)
                    if not warned and time.monotonic() - began > _PATIENCE_SECONDS:
                        warned = _warn(connection, screen)
                    time.sleep(_POLL_SECONDS)
        except (Outage, Retry):
            if not lost:
                screen.note("The database does not answer. The job waits for it, too; trying to reconnect.")
            lost = True
            time.sleep(1.0)


def _warn(connection: Connection, screen: _Screen) -> bool:
    """Say that no jobs role runs, if so; return true if it was said."""
    from sinks.jobs.store import jobs_role_runs

    if jobs_role_runs(connection):
        return False
    screen.note(f"[yellow]{NO_ROLE}[/yellow]")
    return True
