"""Work that waits for the end of an outage: the retry loop of all roles."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from confluent_kafka import KafkaException

from runtime.backoff import Backoff
from runtime.postgres import Outage
from schemas.errors import Retry

Done = TypeVar("Done")

_OUTAGES: Final = (Retry, Outage, KafkaException)
_POLICY: Final = Backoff(ceiling=10.0)


class AskedToStopError(Retry):
    """The process was asked to stop during an outage: the work was not done."""


def through_outages(
    work: Callable[[], Done],
    note: Callable[[Exception, float], None],
    wait: Callable[[float], bool],
    backoff: Backoff = _POLICY,
) -> Done:
    """Do the work, and repeat it after each outage of Postgres, Kafka or the schema registry.

    :param work: must be safe to repeat. ``Retry`` and the clients' errors mean an outage.
    :param note: called after each failed attempt with its error and the pause in seconds; raises an error
        that no retry mends.
    :param wait: waits for that long; true if the process is asked to stop.
    :param backoff: starts over after an attempt that lasted longer than the longest pause.
    :raises AskedToStopError: the process was asked to stop; the work was not done.
    """
    delays = backoff.delays()
    while True:
        began = time.monotonic()
        try:
            return work()
        except AskedToStopError:
            raise
        except _OUTAGES as error:
            if time.monotonic() - began > backoff.ceiling:
                delays = backoff.delays()
            after = error.after if isinstance(error, Retry) else None
            pause = next(delays) if after is None else after
            note(error, pause)
            failure = error
        if wait(pause):
            raise AskedToStopError(f"asked to stop: {describe(failure)}") from failure


def sessions(
    session: Callable[[], None],
    note: Callable[[Exception, float], None],
    wait: Callable[[float], bool],
    backoff: Backoff = _POLICY,
) -> None:
    """Run a session, which ends only when the process is asked to stop, and a new one after each outage."""
    with suppress(AskedToStopError):
        through_outages(session, note, wait, backoff)


def describe(error: Exception) -> str:
    """Return the reason for a log line, without text of the database or its content."""
    if isinstance(error, KafkaException):
        return f"{error.args[0].name()}: {error.args[0].str()}"
    return str(error) if isinstance(error, Retry) else type(error).__name__
