"""``GET /api/customers/operations``: throughput, lag and integrity of the deployment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal

from api.authorization import authorized_router, require_features
from api.instants import instant_text
from api.letter_groups import OPERATE
from api.operations.samples import SAMPLE_SECONDS, Bucket, Sample, per_minute
from api.principal import Principal
from api.queries.operations import violations_by_check, watch_progress
from api.queries.scope import Row
from api.response_models import ResponseModel, Timestamp, responses_of
from api.services import ServicesDep

router = authorized_router("operations")
VIEW: Final = "customers.operations.view"
#: Meaning of each invariant for people, by its number in the audit.
_MEANING: Final = {
    "A3": "Next interaction, last interaction or counts of a customer are wrong.",
    "A11": "A resolved signal has no draft, or an unresolved one names a draft.",
    "A12": "A draft belongs to another tenant, organization or user than its signal's resolution.",
    "A13": "A signal has no interaction, or a draft or outcome has no signal.",
    "A14": "A saved row is missing: a caller was told that it is saved.",
    "A15": "A signal waits for its draft beyond the deadline.",
}
_VERDICTS: Final = {
    "ok": "No violation. Every row was checked within the last {checked}.",
    "checking": "No violation so far. The first check of all rows is not complete.",
    "stale": "The watch has not checked anything for {idle}, so its verdict is out of date.",
    "unwatched": "No watch has run, so nothing is checked. Start the role watch.",
}


class MinuteFigures(ResponseModel):
    """One minute. ``seconds`` is the part of it that was sampled.

    ``commandsPerSecond`` derives from the watermarks. ``outcomes`` counts the results that this gateway read.
    Lags are the largest of the minute; ``batchSeconds`` is the longest transaction that a sample saw.
    """

    at: Timestamp
    seconds: float
    commands_per_second: float
    outcomes: dict[str, int]
    lag_records: int
    lag_seconds: float
    relay_lag_seconds: float
    batch_seconds: float


class PartitionFigures(ResponseModel):
    """Commands of a partition that are not applied yet, and the age of the first of them."""

    partition: int
    applied: int
    lag_records: int
    lag_seconds: float


class RelayFigures(ResponseModel):
    """Age of the first event that is not published; ``blockedBy`` is a transaction that it waits for."""

    lag_seconds: float
    blocked_by: str | None


class OpenViolations(ResponseModel):
    """Open violations of one invariant, with its meaning and the sentence of the oldest."""

    check: str
    count: int
    meaning: str
    first: str
    first_seen_at: Timestamp


class Integrity(ResponseModel):
    """Verdict of the watch. ``green`` is true only if everything was checked and nothing is wrong."""

    verdict: Literal["ok", "violated", "checking", "stale", "unwatched"]
    green: bool
    sentence: str
    violations: list[OpenViolations]
    checked_seconds: float | None
    idle_seconds: float | None
    skipped_at: Timestamp | None


class Operations(ResponseModel):
    """Figures of the last hour, at most since the start of this gateway (``since``).

    Samples are taken every ``sampleSeconds``; ``sampledAt`` is the time of the last one, and ``unavailable``
    the reason if the next one failed: the figures are then out of date. ``partitions`` and ``relay`` are
    those of the last sample.
    """

    since: Timestamp | None
    sampled_at: Timestamp | None
    sample_seconds: float
    unavailable: str | None
    minutes: list[MinuteFigures]
    partitions: list[PartitionFigures]
    relay: RelayFigures | None
    integrity: Integrity


@router.get("/api/customers/operations", responses=responses_of(Operations))
async def get_operations(
    services: ServicesDep, principal: Principal = require_features(VIEW, OPERATE)
) -> dict[str, Any]:
    """Throughput, lag and integrity. Throughput and lag are those of the whole deployment.

    Violations are those of the caller's organization; an operator (`deployment.operate`) sees all.
    """
    everything = principal.has(OPERATE)
    async with services.reads.connection() as connection:
        progress = await watch_progress(connection)
        violations = await violations_by_check(connection, principal.scope, all_tenants=everything)
    samples = services.sampler.samples.all()
    verdict = integrity(progress, violations, patience=services.settings.stalled_after_seconds)
    return {**figures(samples, services.sampler.unavailable), "integrity": verdict}


def figures(samples: list[Sample], unavailable: str | None) -> dict[str, Any]:
    """Members of ``Operations`` that derive from samples."""
    last = samples[-1] if samples else None
    return {
        "since": instant_text(samples[0].at) if samples else None,
        "sampledAt": instant_text(last.at) if last is not None else None,
        "sampleSeconds": SAMPLE_SECONDS,
        "unavailable": unavailable or _too_old(last),
        "minutes": [_minute(bucket) for bucket in per_minute(samples)],
        "partitions": [
            {
                "partition": number,
                "applied": lag.applied,
                "lagRecords": lag.records,
                "lagSeconds": round(lag.seconds, 1),
            }
            for number, lag in sorted(last.partitions.items() if last is not None else ())
        ],
        "relay": {"lagSeconds": round(last.relay_seconds, 1), "blockedBy": last.blocked_by}
        if last is not None
        else None,
    }


def integrity(progress: Row | None, violations: list[Row], *, patience: float) -> dict[str, Any]:
    """The verdict, with its reasons in sentences.

    :param patience: seconds without a look after which the watch's verdict is out of date.
    """
    checked = progress["checked_seconds"] if progress is not None else None
    idle = progress["idle_seconds"] if progress is not None else None
    verdict = _verdict(progress, violations, patience)
    if verdict == "violated":
        total = sum(row["count"] for row in violations)
        sentence = f"{total} open {'violation' if total == 1 else 'violations'}. {violations[0]['what']}"
    else:
        sentence = _VERDICTS[verdict].format(checked=_span(checked), idle=_span(idle))
    return {
        "verdict": verdict,
        "green": verdict == "ok",
        "sentence": sentence,
        "violations": [
            {
                "check": row["check_name"],
                "count": row["count"],
                "meaning": _MEANING.get(row["check_name"], ""),
                "first": row["what"],
                "firstSeenAt": instant_text(row["first_seen"]),
            }
            for row in violations
        ],
        "checkedSeconds": checked,
        "idleSeconds": idle,
        "skippedAt": instant_text(progress["skipped_at"]) if progress is not None else None,
    }


def _verdict(progress: Row | None, violations: list[Row], patience: float) -> str:
    if violations:
        return "violated"
    if progress is None:
        return "unwatched"
    if progress["idle_seconds"] > patience:
        return "stale"
    return "checking" if progress["checked_seconds"] is None else "ok"


def _span(seconds: float | None) -> str:
    whole = round(seconds or 0)
    return f"{whole} seconds" if whole < 120 else f"{whole // 60} minutes"


def _too_old(last: Sample | None) -> str | None:
    if last is None:
        return "No sample was taken yet."
    age = (datetime.now(UTC) - last.at).total_seconds()
    return f"The last sample is {age:.0f} seconds old." if age > 3 * SAMPLE_SECONDS else None


def _minute(bucket: Bucket) -> dict[str, Any]:
    return {
        "at": instant_text(bucket.at),
        "seconds": round(bucket.seconds, 1),
        "commandsPerSecond": round(bucket.applied / bucket.seconds, 2) if bucket.seconds else 0.0,
        "outcomes": dict(bucket.outcomes),
        "lagRecords": bucket.lag_records,
        "lagSeconds": round(bucket.lag_seconds, 1),
        "relayLagSeconds": round(bucket.relay_seconds, 1),
        "batchSeconds": round(bucket.batch_seconds, 4),
    }
