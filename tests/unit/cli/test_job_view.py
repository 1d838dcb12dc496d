"""Texts of jobs and recurring work: progress, rate, remaining time, and the line of `interactions status`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.jobs.job_view import Batches, detail_lines, job_json, progress_text
from cli.stack.recurring import recurring_json, recurring_lines
from sinks.jobs.schedules import Schedule
from sinks.jobs.store import Job

_NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
_JOB = Job(
    id="7c1f6a0e-53e4-4b0c-9d1e-1f0a6f7d0001",
    kind="recompute",
    tenant_id=None,
    organization_id=None,
    settings={},
    state="running",
    reason=None,
    requested_by="cli",
    total=1000,
    done=250,
    cursor=None,
    report={"customers": {"checked": 250}, "described": [{"entityId": "e", "outcome": "applied"}]},
    active_seconds=5.0,
    attempts=1,
    created_at=_NOW,
    started_at=_NOW,
    finished_at=None,
    updated_at=_NOW,
)
_SCHEDULE = Schedule(
    name="reconcile",
    due_at=_NOW,
    started_at=_NOW,
    finished_at=_NOW,
    outcome="completed",
    result={"job": "j", "report": {"compared": 40, "drifts": 0, "repaired": 0, "unrepaired": 0}},
    running=False,
    late_seconds=-600.0,
    finished_seconds=120.0,
)


def test_an_unknown_total_is_never_a_percentage() -> None:
    assert progress_text(_JOB) == "250 of 1,000 (25 %)"
    unknown = replace(_JOB, total=None)
    assert progress_text(unknown) == "250"
    assert progress_text(replace(unknown, done=0)) == "–"
    assert "%" not in "".join(detail_lines(unknown, Batches()))
    assert job_json(unknown, Batches())["remainingSeconds"] is None
    assert progress_text(replace(_JOB, total=0, done=0)) == "nothing to do"


def test_details() -> None:
    failed = Batches(4, 1, ((3, 100, 2, "It was refused."),))
    text = "\n".join(detail_lines(replace(_JOB, reason="It [waits]."), failed))
    for part in ("50 rows/s", "about 15 s left", "1 of 4 batches failed", "batch 3 (100 rows, 2 attempts)"):
        assert part in text
    assert r"It \[waits]." in text, "markup in a reason is text"
    assert "customers.checked: 250" in text
    assert "entityId e, outcome applied" in text
    found = job_json(_JOB, failed)
    assert (found["rowsPerSecond"], found["remainingSeconds"], found["failedBatches"]) == (50.0, 15.0, 1)


def _with(report: dict[str, Any]) -> Schedule:
    assert _SCHEDULE.result is not None
    return replace(_SCHEDULE, result={"report": {**_SCHEDULE.result["report"], **report}})


@pytest.mark.parametrize(
    ("schedule", "line"),
    [
        (_SCHEDULE, "[green]projections: no drift[/green]; 40 customers compared 2 min ago"),
        (
            _with({"drifts": 2}),
            "[yellow]projections: 2 of 40 were wrong and are repaired[/yellow] (2 min ago)",
        ),
        (_with({"drifts": 2, "unrepaired": 1}), "[red]projections: 1 are wrong after their repair[/red]"),
        (replace(_SCHEDULE, running=True, outcome=None), "projections: being compared now"),
        (replace(_SCHEDULE, outcome=None), "[yellow]projections: not compared yet[/yellow]"),
    ],
    ids=["healthy", "repaired", "unrepaired", "running", "new"],
)
def test_the_line_of_the_reconciler(schedule: Schedule, line: str) -> None:
    (shown,) = recurring_lines([schedule], jobs_run=True)
    assert shown.startswith(line)


def test_work_that_failed_or_is_late_has_a_line_of_its_own() -> None:
    failed = replace(_SCHEDULE, name="retention", outcome="failed", result={"reason": "Not safe."})
    late = replace(_SCHEDULE, name="retention", late_seconds=1200.0)
    paused_mirror = replace(late, name="mappings:board")
    assert recurring_lines([failed], jobs_run=True) == [
        "[red]retention: the last run failed[/red]: Not safe."
    ]
    assert recurring_lines([late, paused_mirror], jobs_run=True) == [
        "[yellow]retention: due since 20 min[/yellow]"
    ]
    assert "no process of the role jobs" in recurring_lines([], jobs_run=False)[0]
    assert recurring_lines(None, jobs_run=False) == []


def test_the_json_of_the_reconciler() -> None:
    found = recurring_json([_with({"drifts": 2})])
    assert found is not None
    assert (found["drifts"], found["finishedSecondsAgo"]) == (2, 120.0)
    assert recurring_json(None) is None
