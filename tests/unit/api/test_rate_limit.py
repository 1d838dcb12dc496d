"""The token bucket: a burst, then the rate, per principal."""

from __future__ import annotations

import pytest

from api.principal import Principal
from api.rate_limit import RateLimiter, TooManyRequests


def _who(subject: str, tenant: str = "t") -> Principal:
    return Principal(tenant_id=tenant, organization_id="o", subject=subject, features=frozenset())


def test_a_burst_and_then_the_rate() -> None:
    now = [0.0]
    limiter = RateLimiter(2.0, 3, lambda: now[0])
    for _ in range(3):
        limiter.take(_who("a"))
    with pytest.raises(TooManyRequests) as refused:
        limiter.take(_who("a"))
    assert refused.value.after == 1, "half a second, in whole seconds"
    limiter.take(_who("b"))
    limiter.take(_who("a", tenant="u"))
    now[0] = 0.5
    limiter.take(_who("a"))
    with pytest.raises(TooManyRequests):
        limiter.take(_who("a"))
    now[0] = 100.0
    for _ in range(3):
        limiter.take(_who("a"))
    with pytest.raises(TooManyRequests):
        limiter.take(_who("a"))
