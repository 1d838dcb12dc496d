"""Figures of the operations page: rates and lags per minute, and the verdict on integrity."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.operations.samples import OUTCOMES, PartitionLag, Sample, Samples, per_minute
from api.routes.operations import figures, integrity

START = datetime(2026, 3, 1, 9, 0, 0, tzinfo=UTC)
FRESH = {"checked_seconds": 90.0, "idle_seconds": 1.0, "skipped_at": None}


def _sample(seconds: int, applied: dict[int, int], *, lag: int = 0, done: int = 0) -> Sample:
    return Sample(
        at=START + timedelta(seconds=seconds),
        partitions={
            number: PartitionLag(offset, lag, lag / 10, offset / 1000) for number, offset in applied.items()
        },
        relay_seconds=lag / 20,
        blocked_by=None,
        outcomes={**dict.fromkeys(OUTCOMES, 0), "applied": done},
    )


def test_rates_are_differences_of_watermarks() -> None:
    samples = [
        _sample(30, {0: 100, 1: 50}, done=5),
        _sample(40, {0: 130, 1: 50}, lag=30, done=35),
        _sample(50, {0: 150, 1: 60}, lag=10, done=65),
        _sample(60, {0: 150, 1: 61, 2: 900}, done=66),
    ]
    first, second = per_minute(samples)
    assert (first.at, first.seconds, first.applied) == (START, 20.0, 60)
    assert (first.outcomes["applied"], first.lag_records, first.lag_seconds) == (60, 60, 3.0)
    assert (second.seconds, second.applied, second.outcomes["applied"]) == (10.0, 1, 1)
    [minute, _] = figures(samples, None)["minutes"]
    assert (minute["commandsPerSecond"], minute["relayLagSeconds"]) == (3.0, 1.5)
    # A partition whose watermark did not move had no batch: number 0 in the second minute.
    assert (first.batch_seconds, second.batch_seconds, minute["batchSeconds"]) == (0.15, 0.9, 0.15)


def test_a_watermark_that_goes_back_is_no_negative_rate() -> None:
    [bucket] = per_minute([_sample(10, {0: 500}, done=9), _sample(20, {0: 3}, done=9)])
    assert (bucket.applied, bucket.outcomes["applied"]) == (0, 0)


def test_only_the_last_hour_is_kept() -> None:
    samples = Samples()
    for minute in range(100):
        samples.add(_sample(60 * minute, {0: minute}))
    kept = samples.all()
    assert kept[-1].at - kept[0].at == timedelta(minutes=60)
    assert len(kept) == 61


def test_unknown_outcomes_are_not_counted() -> None:
    samples = Samples()
    samples.count(["applied", "applied", "rejected", "made-up"])
    assert samples.outcomes() == {**dict.fromkeys(OUTCOMES, 0), "applied": 2, "rejected": 1}


def test_without_samples_the_figures_say_so() -> None:
    shown = figures([], None)
    assert (shown["since"], shown["minutes"], shown["relay"]) == (None, [], None)
    assert shown["unavailable"] == "No sample was taken yet."
    old = figures([_sample(0, {0: 1})], None)
    assert "seconds old" in old["unavailable"]


@pytest.mark.parametrize(
    ("progress", "violations", "verdict"),
    [
        (FRESH, [], "ok"),
        (FRESH | {"checked_seconds": None}, [], "checking"),
        (FRESH | {"idle_seconds": 31.0}, [], "stale"),
        (None, [], "unwatched"),
        (FRESH, [{"check_name": "A14", "count": 1, "what": "gone", "first_seen": START}], "violated"),
    ],
)
def test_green_only_if_everything_was_checked(
    progress: dict[str, Any] | None, violations: list[dict[str, Any]], verdict: str
) -> None:
    shown = integrity(progress, violations, patience=30.0)
    assert (shown["verdict"], shown["green"]) == (verdict, verdict == "ok")
    assert shown["sentence"].endswith((".", "gone"))
