"""Numbers of examples of the tests with random inputs: few in ``make test``, all in ``make test-long``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import settings

#: Hypothesis profiles, by their examples per test.
PROFILES: Final = {"few": 20, "all": 100}


def scaled(examples: int) -> int:
    """Scale a test's own number of examples to the profile of this run.

    :param examples: how many ``make test-long`` draws.
    """
    return max(1, examples * settings().max_examples // PROFILES["all"])


def first_of(seeds: Sequence[int], few: int = 1) -> list[Any]:
    """Parameters of a test per seed; all but the first few belong to ``make test-long``."""
    return [*seeds[:few], *(pytest.param(seed, marks=pytest.mark.long) for seed in seeds[few:])]
