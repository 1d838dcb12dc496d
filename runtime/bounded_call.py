"""A call into a client library that may never return, with an end that holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from runtime.supervised_thread import failure_raised
from schemas.errors import Retry

Answer = TypeVar("Answer")


class Hung(Retry):
    """The call has not returned in time; it may still be under way, in a thread that nobody waits for."""


def within(seconds: float, what: str, call: Callable[[], Answer]) -> Answer:
    """Make the call in a thread of its own and wait for its answer.

    Hazard: after :class:`Hung` the object that was called must not be used again.

    :param what: names the call in the error.
    :raises Hung: no answer in time.
    """
    answers: list[Answer] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(call())
        except:  # noqa: E722 - see failure_raised
            failures.append(failure_raised())

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if not answers:
        raise Hung(f"{what} has not returned within {seconds:g} s")
    return answers[0]
