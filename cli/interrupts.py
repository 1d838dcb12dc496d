"""Hold Ctrl-C back while a step must end before it is counted."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Raise a :class:`KeyboardInterrupt` of the block at its end; a second one is raised at once.

    In the middle of a statement it would leave the connection unusable, and between the commit and the count
    it would leave rows that no report mentions.
    """
    previous = signal.getsignal(signal.SIGINT)
    held = False

    def hold(_number: int, _frame: FrameType | None) -> None:
        nonlocal held
        held = True
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if held:
        raise KeyboardInterrupt
