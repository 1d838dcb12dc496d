"""Supervision of threads that a process depends on: an unexpected end is always reported."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from schemas.errors import Stop

_log = structlog.get_logger("process")
#: Maximum seconds from a failure to the end of the process, even if something hangs.
_END_SECONDS: Final = 15.0

#: Called once, in the failed thread, with the reason.
Failed = Callable[[BaseException], None]


def supervised(
    name: str, run: Callable[[], None], *, stopping: Callable[[], bool], failed: Failed
) -> threading.Thread:
    """Create a daemon thread that reports any unexpected end; the caller starts it.

    :param stopping: returns true once the process is shutting down; only then can ``run`` return.
    :param failed: called in the thread when ``run`` raises, or returns too early.
    """

    def supervise() -> None:
        try:
            run()
        except:  # noqa: E722 - see failure_raised
            failed(failure_raised())
        else:
            if not stopping():
                failed(Stop(f"the thread {name} ended unexpectedly"))

    return threading.Thread(target=supervise, name=name, daemon=True)


async def join_all(threads: Iterable[threading.Thread], seconds: float) -> None:
    """Wait for all threads to end, at most ``seconds`` in total; the event loop keeps running."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    for thread in threads:
        await loop.run_in_executor(None, thread.join, max(0.0, deadline - loop.time()))


def failure_raised() -> BaseException:
    """Return what a bare ``except:`` has caught, as an exception.

    Hazard: C code can raise an object of any class. Callbacks of confluent-kafka 2.16 raise ``KafkaError``,
    which is not an exception class, so ``except BaseException`` does not catch it.
    """
    raised: object = sys.exc_info()[1]
    if isinstance(raised, BaseException):
        return raised
    return Stop(f"a client library failed: {raised}")


_ended_by: list[BaseException] = []


def end_process(name: str) -> Failed:
    """Create a callback for a failed thread of a server: stop accepting requests and end the process.

    :param name: name of the thread, for the log.
    """

    def failed(error: BaseException) -> None:
        _log.error("process.thread_failed", thread=name, error=type(error).__name__, reason=str(error))
        _ended_by.append(error)
        # A hanging request must not keep the process alive: faulthandler ends it from C code.
        faulthandler.dump_traceback_later(_END_SECONDS, exit=True)
        os.kill(os.getpid(), signal.SIGTERM)

    return failed


def thread_failure() -> BaseException | None:
    """First failure passed to a callback of :func:`end_process`; ``None`` when no thread has failed."""
    return _ended_by[0] if _ended_by else None
