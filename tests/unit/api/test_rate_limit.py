"""The token bucket: a burst, then a rate, each principal for itself."""

from __future__ import annotations

import pytest

from api.principal import Principal
from api.rate_limit import RateLimiter, TooManyRequests


def _who(subject: str, tenant: str = "t") -> Principal:
    return Principal(tenant_id=tenant, organization_id="o", subject=subject, features=frozenset())


def test_a_burst_and_then_the_rate() -> None:
    now = [0.0]
    rates = RateLimiter(2.0, 3, lambda: now[0])
    for _ in range(3):
        rates.take(_who("a"))
    with pytest.raises(TooManyRequests) as refused:
        rates.take(_who("a"))
    assert refused.value.after == 1, "half a second, in whole seconds"
    rates.take(_who("b"))
    rates.take(_who("a", tenant="u"))
    now[0] = 0.5
    rates.take(_who("a"))
    with pytest.raises(TooManyRequests):
        rates.take(_who("a"))
    now[0] = 100.0
    for _ in range(3):
        rates.take(_who("a"))
    with pytest.raises(TooManyRequests):
        rates.take(_who("a"))
