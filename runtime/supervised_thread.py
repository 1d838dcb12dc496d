"""Threads that a process depends on: one that ends by itself is reported, whatever ended it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from schemas.errors import Stop

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
