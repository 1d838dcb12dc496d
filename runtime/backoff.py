"""Retry delays of the project: exponential backoff with a ceiling and jitter.

The retry loop is ``runtime.outages``. The applier's writer and publisher, whose next attempt differs from the
one that failed, and the decoder, which gives up a single record, have loops of their own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Policy for the delays between retries.

    :param first: upper bound of the first delay, seconds.
    :param factor: growth of the bound from one delay to the next.
    :param ceiling: maximum delay, seconds.
    :param spread: fraction of the delay that is random, from 0 (none) to 1 (full jitter).
    """

    first: float = 0.1
    factor: float = 2.0
    ceiling: float = 30.0
    spread: float = 0.5

    def delays(self, source: random.Random | None = None) -> Iterator[float]:
        """Endless iterator of delays in seconds, each between ``(1 - spread) * bound`` and ``bound``.

        Create a new iterator after a success, so that the delays restart at ``first``.

        :param source: random number generator; a new one by default.
        """
        generator = source if source is not None else random.Random()
        bound = self.first
        while True:
            yield bound * (1 - self.spread * generator.random())
            bound = min(bound * self.factor, self.ceiling)
