"""How long to wait before trying again: exponential, capped, with jitter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """An endless sequence of pauses; pure but for the random source.

    :param first: longest the first pause can be, seconds.
    :param factor: growth from one pause to the next.
    :param ceiling: no pause is longer than this, seconds.
    :param spread: share of a pause that is left to chance, 0 (none) to 1 (all of it).
    """

    first: float = 0.1
    factor: float = 2.0
    ceiling: float = 30.0
    spread: float = 0.5

    def delays(self, source: random.Random | None = None) -> Iterator[float]:
        """Pauses in seconds, each between ``(1 - spread) * bound`` and ``bound``.

        Take a new iterator after a success: the pauses then start again at ``first``.
        """
        chance = source if source is not None else random.Random()
        bound = self.first
        while True:
            yield bound * (1 - self.spread * chance.random())
            bound = min(bound * self.factor, self.ceiling)
