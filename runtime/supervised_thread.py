"""Threads that a process depends on: one that ends by itself is reported, whatever ended it."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

import structlog

from schemas.errors import Stop

_log = structlog.get_logger("process")
#: After a failure the process is gone after so long, whatever hangs.
_END_SECONDS: Final = 15.0

#: Called once, in the thread, with the reason why it ended.
Failed = Callable[[BaseException], None]


def supervised(
    name: str, run: Callable[[], None], *, stopping: Callable[[], bool], failed: Failed
) -> threading.Thread:
    """A daemon thread, not started yet, that reports every end nobody asked for.

    :param stopping: whether the process was told to stop; only then may ``run`` return.
    :param failed: called in the thread when ``run`` raises, or returns before that.
    """

    def supervise() -> None:
        try:
            run()
        except:  # noqa: E722 - see failure_raised
            failed(failure_raised())
        else:
            if not stopping():
                failed(Stop(f"the thread {name} ended by itself"))

    return threading.Thread(target=supervise, name=name, daemon=True)


def failure_raised() -> BaseException:
    """The failure that a bare ``except:`` has caught, as an exception.

    Hazard: C code can raise an object of any class. What leaves a callback of confluent-kafka 2.16 is a
    ``KafkaError``, which is no exception class: ``except BaseException`` does not catch it.
    """
    raised: object = sys.exc_info()[1]
    if isinstance(raised, BaseException):
        return raised
    return Stop(f"a client library failed: {raised}")


_ended_by: list[BaseException] = []


def end_process(name: str) -> Failed:
    """Callback for a failed thread of a server: the server stops taking requests, and the process ends.

    :param name: of the thread, for the log.
    """

    def failed(error: BaseException) -> None:
        _log.error("process.thread_failed", thread=name, error=type(error).__name__, reason=str(error))
        _ended_by.append(error)
        # A request that hangs must not keep the process: C code ends it.
        faulthandler.dump_traceback_later(_END_SECONDS, exit=True)
        os.kill(os.getpid(), signal.SIGTERM)

    return failed


def thread_failure() -> BaseException | None:
    """First failure that :func:`end_process` was called with; ``None`` when no thread has failed."""
    return _ended_by[0] if _ended_by else None
