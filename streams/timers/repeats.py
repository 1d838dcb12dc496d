"""Commands that were sent and have had no effect yet: when each is sent once more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: Until the first repetition; each later pause is twice as long, up to the longest.
_FIRST_SECONDS: Final = 60.0
_LONGEST_SECONDS: Final = 3600.0
#: After that many commands without effect, a row is left out until its next repetition: a page of rows that
#: cannot be marked must not hide the rows behind it.
_PATIENT: Final = 3


@dataclass(slots=True)
class _Sent:
    again_at: float
    times: int


class Repeats:
    """Decides which rows of a queue get a command now.

    A row whose command has had an effect leaves the queue, and its entry here expires.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: dict[tuple[str, int], _Sent] = {}

    def due(self, row_id: str, version: int) -> bool:
        """Return whether to send the command of a row now.

        :param version: of the schedule or the resolution; another version is another command.
        """
        known = self._sent.get((row_id, version))
        return known is None or known.again_at <= self._clock()

    def sent(self, row_id: str, version: int) -> None:
        """Note that the command of a row was sent."""
        known = self._sent.get((row_id, version))
        times = known.times + 1 if known is not None else 1
        pause = min(_FIRST_SECONDS * 2 ** (times - 1), _LONGEST_SECONDS)
        self._sent[row_id, version] = _Sent(self._clock() + pause, times)

    def left_out(self) -> list[str]:
        """List the rows that the next page leaves out, and forget the rows that have left the queue."""
        now = self._clock()
        self._sent = {key: it for key, it in self._sent.items() if it.again_at + _FIRST_SECONDS > now}
        return [
            row_id for (row_id, _), it in self._sent.items() if it.times >= _PATIENT and it.again_at > now
        ]
