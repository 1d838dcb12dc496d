"""The demo's outcome check reports every kind of difference."""

from __future__ import annotations

from datetime import UTC, datetime

from cli.demo.outcome_check import check_outcomes
from cli.publish.report import Rejection, Report
from examples.week.sample import Sample

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SAMPLES = [Sample(NOW, {}), Sample(NOW, {}, "rejected", "already_done"), Sample(NOW, {}, "duplicate")]


def report(code: str = "already_done", line: int = 2, **counts: int) -> Report:
    made = Report(lines=3, rejections=[Rejection(line, "c", {"code": code})])
    made.outcomes.update({"applied": 1, "rejected": 1, "duplicate": 1} | counts)
    return made


def test_as_expected() -> None:
    assert check_outcomes(SAMPLES, report()) == []


def test_another_count() -> None:
    assert check_outcomes(SAMPLES, report(applied=2)) == ["2 commands are applied, not 1"]


def test_another_code_or_another_line() -> None:
    assert check_outcomes(SAMPLES, report(code="cancel_done")) == [
        "line 2 should be rejected with already_done, got cancel_done"
    ]
    assert len(check_outcomes(SAMPLES, report(line=3))) == 2


def test_an_unknown_fate() -> None:
    made = report()
    made.unknown = 1
    assert len(check_outcomes(SAMPLES, made)) == 1
