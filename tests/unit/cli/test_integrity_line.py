"""Line of `interactions status` on integrity."""

from __future__ import annotations

import pytest

from cli.stack.integrity import integrity_json, integrity_lines, is_problem
from sinks.integrity.report import IntegrityReport

_FINE = IntegrityReport({}, [], 4.2, 1.0, None)
_WHAT = "a resolved signal without its draft"
_FIRST = {"check": "A11", "subject": "signal", "subjectId": "s-1", "what": _WHAT}
_BROKEN = IntegrityReport({"A3": 1, "A11": 2}, [_FIRST], 4.2, 1.0, None)


@pytest.mark.parametrize(
    ("report", "watched", "problem", "shown"),
    [
        (_FINE, True, False, "[green]integrity: no violation[/green]; everything checked within 4 s"),
        (_FINE, False, False, "not watched"),
        (_BROKEN, True, True, "[red]integrity: 3 violations[/red] (A3 1, A11 2)."),
        (_BROKEN, False, True, "[red]A11[/red] signal s-1: a resolved signal without its draft"),
        (IntegrityReport({}, [], 4.2, 61.0, None), True, True, "has not moved for 61 s"),
        (IntegrityReport({}, [], None, None, None), True, True, "has not begun"),
        (IntegrityReport({}, [], None, 1.0, None), True, False, "the first sweep is not complete"),
    ],
)
def test_lines(report: IntegrityReport, watched: bool, problem: bool, shown: str) -> None:
    lines = integrity_lines(report, watched=watched, patience=60.0)
    assert shown in "\n".join(lines)
    assert is_problem(report, watched=watched, patience=60.0) == problem


def test_nothing_is_known_without_a_database() -> None:
    assert integrity_lines(None, watched=True, patience=60.0) == []
    assert not is_problem(None, watched=True, patience=60.0)
    assert integrity_json(None) is None


def test_the_names_are_those_of_the_other_members() -> None:
    assert set(integrity_json(_BROKEN) or {}) == {
        "violations",
        "first",
        "checkedSeconds",
        "idleSeconds",
        "skippedAt",
    }
