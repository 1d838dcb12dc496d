"""Delays grow, stay below their ceiling, and have jitter."""

from __future__ import annotations

import random
from itertools import islice

from runtime.backoff import Backoff


def test_pauses_stay_between_their_bounds_and_reach_the_ceiling() -> None:
    policy = Backoff(first=1, factor=2, ceiling=10, spread=0.5)

    pauses = list(islice(policy.delays(random.Random(1)), 8))

    bounds = [1, 2, 4, 8, 10, 10, 10, 10]
    assert all(bound / 2 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    assert len(set(pauses)) == len(pauses)


def test_without_spread_nothing_is_left_to_chance() -> None:
    assert list(islice(Backoff(first=1, factor=3, ceiling=5, spread=0).delays(), 4)) == [1, 3, 5, 5]
