"""Token bucket per principal: a sustained rate and a burst."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from api.principal import Principal
from schemas.errors import Reject

_MAX_BUCKETS: Final = 20_000


class TooManyRequests(Reject):
    """The caller exceeded its rate (429).

    :param after: seconds until the next request is accepted.
    """

    def __init__(self, after: float) -> None:
        super().__init__(
            "too_many_requests", "Too many requests. Wait for Retry-After seconds, then repeat.", status=429
        )
        self.after = after


class RateLimiter:
    """The token buckets of one process.

    :param per_second: tokens added per second.
    :param burst: capacity of a bucket.
    """

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str, str], tuple[float, float]] = OrderedDict()

    def take(self, principal: Principal) -> None:
        """Take one token.

        :raises TooManyRequests: the bucket is empty (429).
        """
        key = principal.tenant_id, principal.organization_id, principal.subject
        now = self._clock()
        left, at = self._buckets.pop(key, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._per_second)
        taken = left >= 1
        self._buckets[key] = left - 1 if taken else left, now
        if len(self._buckets) > _MAX_BUCKETS:
            # The least recently used bucket is full again, or almost full.
            self._buckets.popitem(last=False)
        if not taken:
            raise TooManyRequests(math.ceil((1 - left) / self._per_second))
