"""One lane of the jobs role: runs its jobs one by one, oldest first. One leader per lane."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog
from confluent_kafka import KafkaException

from runtime.kafka import make_admin
from runtime.outages import AskedToStopError, describe, sessions
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.topics import COMMANDS
from sinks.jobs.store import Job, claim_job, excuse_attempt, finish_job
from streams.heartbeat import Heartbeat
from streams.jobs.context import JobContext, JobFailedError, JobInterruptedError, JobPausedError
from streams.jobs.kinds import Run
from streams.leadership import wait_to_lead

_log = structlog.get_logger("jobs")
_IDLE_SECONDS: Final = 1.0
_EXCUSED_SECONDS: Final = 15.0
_ANSWER_SECONDS: Final = 5.0
#: Attempts without progress after which a job fails: more than three minutes, by the pauses between them.
_MOST_ATTEMPTS: Final = 30


class Lane:
    """Runs the jobs of some kinds.

    :param tick: called with the leader's connection about every second while no job runs.
    """

    def __init__(
        self,
        name: str,
        kinds: Mapping[str, Run],
        settings: Settings,
        heartbeat: Heartbeat,
        stop: threading.Event,
        tick: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        self._stage = f"jobs-{name}"
        self._kinds = kinds
        self._settings = settings
        self._heartbeat = heartbeat
        self._stop = stop
        self._tick = tick
        self._errors: dict[str, str] = {}

    def run(self) -> None:
        """Lead, or wait to lead, until asked to stop; start over after an outage."""
        sessions(self._session, self._note_outage, self._stop.wait)
        self._heartbeat.rest(self._stage)

    def _note_outage(self, error: Exception, _seconds: float) -> None:
        _log.warning("jobs.retry", lane=self._stage, reason=describe(error))
        self._heartbeat.excuse(self._stage, _EXCUSED_SECONDS)

    def _session(self) -> None:
        self._heartbeat.beat(self._stage)
        with connect(self._settings, application_name="interactions-jobs", autocommit=True) as connection:
            if not wait_to_lead(connection, self._stage, self._heartbeat, self._stage, self._stop):
                return
            while not self._stop.is_set():
                self._heartbeat.beat(self._stage)
                self._tick(connection)
                job = claim_job(connection, self._kinds)
                if job is None:
                    self._stop.wait(_IDLE_SECONDS)
                else:
                    self._run(connection, job)

    def _run(self, connection: Connection, job: Job) -> None:
        log = _log.bind(job=job.id, kind=job.kind, tenant=job.tenant_id)
        if job.attempts > _MOST_ATTEMPTS:
            log.error("jobs.failed", reason=self._give_up(connection, job), done=job.done)
            return
        log.info("jobs.running", done=job.done, total=job.total)
        context = JobContext(self._settings, connection, job, self._stage, self._heartbeat, self._stop)
        state, reason = "completed", None
        try:
            self._kinds[job.kind](context)
            context.save()
        except JobInterruptedError:
            log.info("jobs.interrupted", done=context.done)
            return
        except JobPausedError as error:
            state, reason = "paused", str(error)
        except JobFailedError as error:
            state, reason = "failed", str(error)
        except AskedToStopError:
            raise  # the job stays running, and is resumed
        except (Retry, Outage, KafkaException) as error:
            self._note_attempt(connection, job, error)
            raise
        except Exception as error:  # noqa: BLE001 - one job must not stop the others
            state, reason = "failed", f"It failed unexpectedly: {_place(error)}."
        finish_job(connection, job.id, state, reason)
        (log.info if reason is None else log.error)(f"jobs.{state}", reason=reason, done=context.done)

    def _note_attempt(self, connection: Connection, job: Job, error: Exception) -> None:
        """Keep the error of an attempt; an attempt during an outage does not count.

        :raises Outage: the database is unavailable: it could not count the attempt either.
        """
        self._errors[job.id] = describe(error)
        if not self._broker_answers():
            excuse_attempt(connection, job.id)

    def _broker_answers(self) -> bool:
        try:
            make_admin(self._settings).list_topics(self._settings.topic(COMMANDS), timeout=_ANSWER_SECONDS)
        except KafkaException:
            return False
        return True

    def _give_up(self, connection: Connection, job: Job) -> str:
        last = self._errors.pop(job.id, "the process ended")
        reason = f"It made no progress in {_MOST_ATTEMPTS} attempts. The last one: {last}"
        finish_job(connection, job.id, "failed", reason)
        return reason


def _place(error: BaseException) -> str:
    """Class and place of an error. Hazard: its message may hold customer text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" in {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}"
