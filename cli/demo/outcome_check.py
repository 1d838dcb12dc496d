"""Comparison of the demo's outcomes with those expected by the sample data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.publish.report import OUTCOMES, Report

if TYPE_CHECKING:
    from examples.week.sample import Sample


def check_outcomes(samples: Sequence[Sample], report: Report) -> list[str]:
    """Compare outcome counts, and the line and code of each rejection; one sentence per difference.

    :param report: report of all samples in order, with every rejection in detail.
    """
    wrong = []
    if report.not_sent or report.unknown:
        wrong.append(f"{report.not_sent} commands were not sent, {report.unknown} have an unknown outcome")
    expected = Counter(sample.outcome for sample in samples)
    wrong += [
        f"{report.outcomes[outcome]} commands are {outcome}, not {expected[outcome]}"
        for outcome in OUTCOMES
        if expected[outcome] != report.outcomes[outcome]
    ]
    wanted = {line: sample.code for line, sample in enumerate(samples, 1) if sample.outcome == "rejected"}
    found = {rejection.line: rejection.problem.get("code") for rejection in report.rejections}
    wrong += [
        f"line {line} should be rejected with {wanted.get(line)}, got {found.get(line)}"
        for line in sorted(wanted.keys() | found.keys())
        if wanted.get(line) != found.get(line)
    ]
    return wrong
