"""Context of one running job: its row, its database connection, and its progress."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from runtime.outages import AskedToStopError
from runtime.postgres import Connection
from runtime.settings import Settings
from sinks.jobs.store import Job, requeue_job, save_job, state_of
from streams.heartbeat import Heartbeat
from streams.jobs.commands import CommandSender

#: Longest time between two beats of a job: one batch, or one statement over a whole table.
BEAT_SECONDS: Final = 900.0
#: Time after which a job lets others of its kind go first.
_TURN_SECONDS: Final = 10.0


class JobInterruptedError(Exception):
    """The job was paused, canceled or removed, or another has its turn; it is left as it is."""


class JobPausedError(Exception):
    """The job pauses itself. The message is the reason, one sentence without customer text."""


class JobFailedError(Exception):
    """The job cannot go on. The message is the reason, one sentence without customer text."""


class JobContext:
    """Context that a kind of job runs in.

    :ivar connection: in autocommit mode; use ``connection.transaction()`` for work that belongs together.
    :ivar job: the row as it was claimed.
    """

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        job: Job,
        stage: str,
        heartbeat: Heartbeat,
        stop: threading.Event,
    ) -> None:
        self.settings = settings
        self.connection = connection
        self.job = job
        self.cursor = job.cursor
        self.done = job.done
        self.total = job.total
        self.report = dict(job.report)
        self._stage = stage
        self._heartbeat = heartbeat
        self._stop = stop
        self._began_at = self._saved_at = time.monotonic()
        self.commands = CommandSender(settings, connection, job.id, self.proceed)

    def proceed(self) -> None:
        """Beat, and check that the job may go on; call it before each piece of work.

        :raises AskedToStopError: the process is asked to stop; another one continues the job.
        :raises JobInterruptedError: an operator paused or canceled the job.
        """
        self.beat()
        if state_of(self.connection, self.job.id) != "running":
            raise JobInterruptedError

    def take_turns(self) -> None:
        """Let waiting jobs of the same kind go first, once this one has had its turn.

        Call it where resuming repeats no work.

        :raises JobInterruptedError: the job waits now.
        """
        turn_over = time.monotonic() - self._began_at > _TURN_SECONDS
        if turn_over and requeue_job(self.connection, self.job):
            raise JobInterruptedError

    def beat(self) -> None:
        """Beat, and check that the process is not asked to stop.

        :raises AskedToStopError: the process is asked to stop.
        """
        self._heartbeat.beat(self._stage, BEAT_SECONDS)
        if self._stop.is_set():
            raise AskedToStopError("the jobs role is asked to stop")

    def wait(self, seconds: float) -> None:
        """Wait, unless the process is asked to stop."""
        self._stop.wait(seconds)

    def save(self, **changes: Any) -> None:
        """Store the progress; in the transaction of the work that it covers, if there is one.

        :param changes: new values of ``cursor``, ``done``, ``total`` and ``report``.
        :raises JobInterruptedError: the job is gone.
        """
        for name in ("cursor", "done", "total", "report"):
            if name in changes:
                setattr(self, name, changes.pop(name))
        assert not changes
        now = time.monotonic()
        state = save_job(
            self.connection,
            self.job.id,
            cursor=self.cursor,
            done=self.done,
            total=self.total,
            report=self.report,
            seconds=now - self._saved_at,
        )
        self._saved_at = now
        if state is None:
            raise JobInterruptedError
