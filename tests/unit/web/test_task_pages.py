"""Pages of the work list from rows: they stay light, and say what happened to each task."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tests.unit.web.viewers import a_viewer
from web.bulk import Bulk, BulkResult, BulkResults, State
from web.day import Due
from web.dictionary import Types
from web.language import LANGUAGES, language_of
from web.rendering import render, with_parameters
from web.routes.tasks import _PAGE, _PREVIEW
from web.viewer import Viewer

NOW = datetime(2026, 3, 1, 10, 0, 25, tzinfo=UTC)
TYPES = Types(({"code": "call", "label": "Call", "icon": "phone", "actionable": True},))
#: Bytes of a page without its assets; they weigh 67 kB.
_AT_MOST = 82_600


def viewer_of(code: str, *features: str) -> Viewer:
    viewer = a_viewer(now=NOW, csrf="c" * 43, features=features or ("*",))
    return Viewer(
        principal=viewer.principal,
        name=viewer.name,
        csrf=viewer.csrf,
        language=language_of(code),
        days=viewer.days,
    )


def row(**changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "title": "A task with a title of a usual length",
        "interaction_type": "call",
        "status": "planned",
        "scheduled_at": NOW - timedelta(days=3),
        "entity_id": str(uuid4()),
        "entity_name": "Muster GmbH & Co.",
        "entity_kind": "person",
        "priority": None,
        "deal_title": None,
        "body": None,
        "feedback": None,
        "occurred_at": None,
        "updated_at": NOW,
        **changes,
    }


def results(*states: State, **changes: Any) -> BulkResults:
    found = tuple(
        BulkResult(
            **{
                "interaction_id": str(uuid4()),
                "command_id": str(uuid4()),
                "row": row(),
                "state": state,
                "code": "already_done",
                "entity_id": "e",
                "undo_token": "t" if state == "applied" else None,
                **changes,
            }
        )
        for state in states
    )
    ids = tuple(it.interaction_id for it in found)
    return BulkResults(Bulk(action="complete", key=str(uuid4()), interaction_ids=ids, unsent={}), found)


def page(viewer: Viewer, groups: dict[Due, int], found: BulkResults | None = None) -> str:
    listed: list[dict[str, Any]] = [
        {"name": name, "rows": [row() for _ in range(n)], "more": "/x"} for name, n in groups.items()
    ]
    address = "/backend/customer-tasks" + (f"?bulk={found.bulk.text}" if found is not None else "")
    response = render(
        "tasks.html",
        viewer,
        notice=None,
        ended=None,
        results_found=found,
        address=address,
        back="/backend/customer-tasks",
        groups=listed,
        counts={name.value: groups.get(name, 0) for name in Due},
        chosen=None,
        kept=dict.fromkeys(("owner", "type", "customer", "q")),
        types=TYPES,
        total=1000,
        shown=[it["id"] for group in listed for it in group["rows"]],
        matching=1000,
    )
    return bytes(response.body).decode()


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize(
    "groups", [dict.fromkeys(Due, _PREVIEW), {Due.OVERDUE: _PAGE}], ids=["all", "one group"]
)
def test_a_full_list_with_results_stays_light(code: str, groups: dict[Due, int]) -> None:
    states: tuple[State, ...] = ("applied", "refused", "unknown")
    found = results(*states * (sum(groups.values()) // 3))
    assert len(page(viewer_of(code), groups, found).encode()) <= _AT_MOST


def test_each_row_has_its_result() -> None:
    html = page(viewer_of("en"), {Due.TODAY: 1}, results("applied", "applied", "refused", "unknown"))
    assert re.sub(r"\s+", " ", html).count('data-state="') == 4
    assert "2 tasks marked as done." in html
    assert "1 not changed." in html
    assert "1 not known yet." in html
    assert "It is done already." in html
    assert "Undo all 2" in html
    # Outcomes that are not known are looked at.
    assert 'id="poll"' in html
    assert 'id="poll"' not in page(viewer_of("en"), {Due.TODAY: 1}, results("applied"))


def test_hostile_codes_and_texts_are_shown_as_text() -> None:
    found = results("refused", code="x<script>", detail="<b>no</b>", row=row(title="<img src=x>"))
    html = page(viewer_of("en"), {Due.TODAY: 1}, found)
    assert "<img src=x>" not in html
    assert "<b>no</b>" not in html
    assert "&lt;b&gt;no&lt;/b&gt;" in html


def test_readers_see_no_boxes() -> None:
    html = page(viewer_of("en", "customers.view"), {Due.TODAY: 2})
    assert "taskId" not in html
    assert 'id="bulk"' not in html


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("state", ["waiting", "running", "paused", "completed", "failed", "canceled"])
@pytest.mark.parametrize("action", ["complete", "snooze", "reassign", "cancel"])
def test_every_state_of_a_job(code: str, state: str, action: str) -> None:
    job = {
        "id": str(uuid4()), "state": state, "action": action, "total": 1200, "done": 300, "reason": None,
        "created_at": NOW, "started_at": None, "finished_at": None, "requested_by": "ada",
    }  # fmt: skip
    response = render(
        "task_job.html",
        viewer_of(code),
        back="/b",
        list_path="/l",
        job=job,
        tasks={"applied": 299, "rejected": 1},
        rejected={"already_done": 1},
        samples={"already_done": [("x", None)]},
        types=TYPES,
        rate=1.0,
        left=20.0,
        open=state in ("waiting", "running", "paused"),
        slow=state == "waiting",
        own=True,
    )
    html = bytes(response.body).decode()
    assert ('id="stop"' in html) == (state in ("waiting", "running", "paused"))


@pytest.mark.parametrize(
    ("current", "status", "expected"),
    [
        ("i", "planned", "Complete"),
        ("i", "done", "was completed"),
        ("i", None, "no longer exists"),
        (None, None, "last one"),
    ],
)
def test_every_state_of_a_run(current: str | None, status: str | None, expected: str) -> None:
    task = row(status=status) if status is not None else None
    customer = {
        "id": "c", "kind": "person", "display_name": "Muster", "primary_email": None,
        "primary_phone": "+49 1", "open_count": 2, "done_count": 3,
    }  # fmt: skip
    response = render(
        "task_work.html",
        viewer_of("en"),
        notice=None,
        back="/b",
        list_path="/l",
        following="/f" if current else None,
        run=SimpleNamespace(number=4, of=17),
        passed=2,
        row=task,
        current=current,
        customer=customer if task is not None else None,
        history=[row(status="done", feedback="Agreed")],
        types=TYPES,
    )
    html = bytes(response.body).decode()
    assert expected in html
    assert ("4 of 17" in html) == (current is not None)


@pytest.mark.parametrize(
    ("path", "values", "drop", "expected"),
    [
        ("/p", {"a": "1"}, (), "/p?a=1"),
        ("/p?a=0&b=2&done=x", {"a": "1"}, ("done",), "/p?b=2&a=1"),
        ("/p?a=0&b=2", {"a": None}, (), "/p?b=2"),
        (
            "/p?q=a%26b",
            {"t": "2026-03-01T10:00:00+00:00"},
            (),
            "/p?q=a%26b&t=2026-03-01T10%3A00%3A00%2B00%3A00",
        ),
    ],
)
def test_parameters_are_set_and_dropped(
    path: str, values: dict[str, str | None], drop: tuple[str, ...], expected: str
) -> None:
    assert with_parameters(path, values, drop=drop) == expected
