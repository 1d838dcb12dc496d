"""Commands and counts of a bulk job, without servers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.jobs.outcomes import Outcome
from sinks.jobs.tasks import Task
from sinks.task_filter import TaskFilters, TaskSelection, selection_of
from streams.jobs.bulk import _SAMPLES, _counted, _entry

_MOMENT = st.none() | st.datetimes(timezones=st.just(UTC))
_TEXT = st.none() | st.text()
_TASK = Task("i", "e", datetime(2026, 3, 20, 8, tzinfo=UTC), 4)


@given(
    st.builds(
        TaskSelection,
        filters=st.builds(
            TaskFilters,
            interaction_types=st.none() | st.lists(st.text()).map(tuple),
            owner_user_id=_TEXT,
            interaction_type=_TEXT,
            entity_id=_TEXT,
            search=_TEXT,
        ),
        dated=st.sampled_from([None, True, False]),
        range_=st.tuples(_MOMENT, _MOMENT),
    )
)
def test_a_selection_survives_the_settings(selection: TaskSelection) -> None:
    assert selection_of(selection.as_settings()) == selection


def test_a_search_that_was_dropped_is_no_error() -> None:
    settings = TaskSelection(filters=TaskFilters(search="x")).as_settings()
    del settings["filters"]["search"]
    assert selection_of(settings) == TaskSelection(filters=TaskFilters())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"action": "complete"}, {}),
        ({"action": "cancel"}, {}),
        ({"action": "reassign", "ownerUserId": "o"}, {"version": 4}),
        (
            {
                "action": "snooze",
                "day": "2026-03-30",
                "zone": "Europe/Berlin",
                "confirmedAt": "2026-03-25T11:10:00+00:00",
            },
            {"version": 4, "scheduledAt": "2026-03-30T07:00:00.000000Z"},  # 09:00 in summer time
        ),
    ],
)
def test_an_entry_fixes_the_command(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    assert _entry(settings, _TASK) == {"id": "i", "entityId": "e"} | expected


def test_counts_add_up_and_name_some_of_the_refused() -> None:
    report: dict[str, Any] = {}
    for batch in range(3):
        outcomes = {f"{batch}-{number}": Outcome("rejected", "already_done") for number in range(15)}
        report = _counted(report, {**outcomes, f"ok-{batch}": Outcome("applied", None)})
    assert report["tasks"] == {"rejected": 45, "applied": 3}
    assert report["rejected"] == {"already_done": 45}
    assert report["samples"]["already_done"] == [f"0-{it}" for it in range(15)] + [
        f"1-{it}" for it in range(5)
    ]
    assert len(report["samples"]["already_done"]) == _SAMPLES
