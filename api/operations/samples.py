"""Samples of the last hour in a ring buffer, and their figures per minute."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, get_args

from schemas.outcomes import OutcomeName

SAMPLE_SECONDS: Final = 10.0
_KEPT: Final = timedelta(minutes=60)
_BUCKET: Final = timedelta(minutes=1)
OUTCOMES: Final[tuple[str, ...]] = get_args(OutcomeName)


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """Commands of one partition that are not applied yet, and the last batch that was.

    :param applied: the watermark: every record below it is applied.
    :param records: offsets from the watermark to the end; transaction markers count too.
    :param seconds: age of the first command that is not applied; 0 if there is none.
    :param batch_seconds: duration of the transaction that moved the watermark.
    """

    applied: int
    records: int
    seconds: float
    batch_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading.

    :param relay_seconds: age of the first event that is not published; 0 if there is none.
    :param blocked_by: database session whose open transaction the relay waits for.
    :param outcomes: results since the gateway's start, by outcome.
    """

    at: datetime
    partitions: Mapping[int, PartitionLag]
    relay_seconds: float
    blocked_by: str | None
    outcomes: Mapping[str, int]


@dataclass(slots=True)
class Bucket:
    """Figures of one minute; a minute that was sampled in part covers fewer ``seconds``."""

    at: datetime
    seconds: float = 0.0
    applied: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    lag_records: int = 0
    lag_seconds: float = 0.0
    relay_seconds: float = 0.0
    batch_seconds: float = 0.0


class Samples:
    """The samples of the last hour, and counters of outcomes. Callable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: deque[Sample] = deque()
        self._outcomes: Counter[str] = Counter()

    def count(self, outcomes: Iterable[str]) -> None:
        """Count results by outcome; unknown outcomes are left out."""
        known = [outcome for outcome in outcomes if outcome in OUTCOMES]
        with self._lock:
            self._outcomes.update(known)

    def outcomes(self) -> dict[str, int]:
        """Results since the gateway's start, by outcome."""
        with self._lock:
            return {name: self._outcomes[name] for name in OUTCOMES}

    def add(self, sample: Sample) -> None:
        """Add a sample, and drop those older than an hour."""
        with self._lock:
            self._samples.append(sample)
            while self._samples[0].at < sample.at - _KEPT:
                self._samples.popleft()

    def all(self) -> list[Sample]:
        """The samples, oldest first."""
        with self._lock:
            return list(self._samples)


def per_minute(samples: Sequence[Sample]) -> list[Bucket]:
    """Figures per minute from consecutive samples; a minute without samples is missing.

    A difference belongs to the minute of the later sample. A watermark that went back, because the topic was
    re-created or the database restored, counts as no progress.
    """
    buckets: dict[datetime, Bucket] = {}
    for before, after in pairwise(samples):
        start = _minute(after.at)
        bucket = buckets.setdefault(start, Bucket(start))
        bucket.seconds += (after.at - before.at).total_seconds()
        for number, lag in after.partitions.items():
            known = before.partitions.get(number)
            if known is not None:
                bucket.applied += max(0, lag.applied - known.applied)
            if known is None or known.applied != lag.applied:
                bucket.batch_seconds = max(bucket.batch_seconds, lag.batch_seconds)
        bucket.outcomes.update(
            {name: max(0, count - before.outcomes.get(name, 0)) for name, count in after.outcomes.items()}
        )
        bucket.lag_records = max(bucket.lag_records, sum(it.records for it in after.partitions.values()))
        seconds = max((it.seconds for it in after.partitions.values()), default=0.0)
        bucket.lag_seconds = max(bucket.lag_seconds, seconds)
        bucket.relay_seconds = max(bucket.relay_seconds, after.relay_seconds)
    return [buckets[start] for start in sorted(buckets)]


def _minute(at: datetime) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // _BUCKET.total_seconds() * _BUCKET.total_seconds(), UTC)
