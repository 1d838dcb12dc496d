"""Budget per tenant and day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from streams.drafts.writers.chat.daily_budget import DailyBudget, utc_now


def test_each_tenant_has_a_budget_per_utc_day() -> None:
    now = [datetime(2026, 11, 29, 22, 0, 0, 500, UTC)]
    budget = DailyBudget(2, lambda: now[0])
    assert [budget.take("a"), budget.take("a")] == [None, None]
    assert budget.take("a") == timedelta(hours=2, microseconds=-500).total_seconds()
    assert budget.take("b") is None
    now[0] += timedelta(hours=1, minutes=59)
    assert budget.take("a") is not None
    now[0] += timedelta(minutes=1)
    assert [budget.take("a"), budget.take("a")] == [None, None]
    assert budget.take("a") is not None


def test_threads_share_the_budget() -> None:
    budget = DailyBudget(50, lambda: datetime(2026, 11, 29, tzinfo=UTC))
    with ThreadPoolExecutor(max_workers=8) as pool:
        taken = [answer for answer in pool.map(budget.take, ["a"] * 200) if answer is None]
    assert len(taken) == 50


def test_days_are_in_utc() -> None:
    assert utc_now().tzinfo is UTC
