"""Deadline for a call into a client library that may never return."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from runtime.supervised_thread import failure_raised
from schemas.errors import Retry

Answer = TypeVar("Answer")


class CallTimeout(Retry):
    """The call did not return in time; it may still be running, in an abandoned thread."""


def within(seconds: float, what: str, call: Callable[[], Answer]) -> Answer:
    """Run a call in its own thread and wait for its result.

    Hazard: after :class:`CallTimeout`, the object that was called must not be used again.

    :param what: name of the call, for the error message.
    :raises CallTimeout: the call did not return in time.
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
        raise CallTimeout(f"{what} did not return within {seconds:g} s")
    return answers[0]
