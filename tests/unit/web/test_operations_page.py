"""The operations page from samples: charts and tables agree, and a full hour stays light."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api.operations.samples import OUTCOMES, PartitionLag, Sample
from api.principal import Principal
from api.routes.operations import integrity
from web.day import days_of
from web.language import LANGUAGES, language_of
from web.rendering import render
from web.routes.operations import charts_of
from web.viewer import Viewer

NOW = datetime(2026, 3, 1, 10, 0, 25, tzinfo=UTC)
#: Bytes of the page without its assets; those that all pages load may weigh 75 kB (see test_templates).
_AT_MOST = 73_000


def samples(seconds: int) -> list[Sample]:
    """A sample every ten seconds up to now, with as much going on as fits."""
    return [
        Sample(
            at=NOW - timedelta(seconds=ago),
            partitions={n: PartitionLag((seconds - ago) * 157, 3_000 + n, 12.5, 0.0873) for n in range(6)},
            relay_seconds=1.4,
            blocked_by=None,
            outcomes={name: (seconds - ago) * (place + 1) * 31 for place, name in enumerate(OUTCOMES)},
        )
        for ago in range(seconds, -1, -10)
    ]


def page(taken: list[Sample], code: str = "en", **changes: Any) -> str:
    principal = Principal(
        tenant_id="t", organization_id="o", subject="u", features=frozenset({"customers.*"})
    )
    viewer = Viewer(
        principal=principal,
        name="Ada",
        csrf="x",
        language=language_of(code),
        days=days_of(NOW, ZoneInfo("Europe/Berlin")),
    )
    values: dict[str, Any] = {
        "back": "/backend/operations",
        "charts": charts_of(taken, NOW),
        "last": taken[-1] if taken else None,
        "since": taken[0].at if taken else None,
        "stale": False,
        "unavailable": None,
        "sample_seconds": 10.0,
        "lag": {"records": 18_015, "seconds": 12.5, "most": 3_005},
        "verdict": integrity(None, [], patience=120),
        "progress": None,
        "violations": [],
        "everything": False,
        "jobs": [],
        "letters": 3,
        **changes,
    }
    return bytes(render("operations.html", viewer, **values).body).decode()


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_full_hour_is_light(code: str) -> None:
    html = page(samples(3600), code)
    assert html.count("<title>") == 1 + 5 * 60
    assert len(html.encode()) <= _AT_MOST


def test_every_bar_has_a_row_of_the_table() -> None:
    html = page(samples(600))
    for name in ("commands", "outcomes", "lag", "relay", "batch"):
        section = html.partition(f'id="chart-{name}"')[2].partition("</section>")[0]
        bars = re.findall(r"<title>(\d\d:\d\d): ", section)
        rows = re.findall(r'<th scope="row">(\d\d:\d\d)</th>', section)
        assert bars == rows[::-1]
        assert len(bars) == 11


def test_verdict_states_and_jobs_render() -> None:
    row = {"check_name": "A14", "count": 2, "what": "<b>row</b> is missing", "first_seen": NOW}
    progress = {"checked_seconds": None, "idle_seconds": 1.0, "skipped_at": NOW}
    violated = page(
        samples(60), verdict=integrity(progress, [row], patience=120), violations=[row], progress=progress
    )
    assert 'data-verdict="violated"' in violated
    assert "2 open violations" in violated
    assert "&lt;b&gt;row&lt;/b&gt; is missing" in violated
    for idle, checked, verdict in ((1.0, 90.0, "ok"), (900.0, 90.0, "stale"), (1.0, None, "checking")):
        found = {"checked_seconds": checked, "idle_seconds": idle, "skipped_at": None}
        html = page(samples(60), verdict=integrity(found, [], patience=120), progress=found)
        assert f'data-verdict="{verdict}"' in html
    job = {
        "id": "j",
        "kind": "recompute",
        "state": "running",
        "reason": None,
        "total": 900,
        "done": 300,
        "failed_batches": 1,
        "created_at": NOW,
        "started_at": NOW,
        "finished_at": None,
    }
    html = page(samples(60), jobs=[{"row": job, "rate": 100.0, "left": 6.0}])
    assert '<progress max="900" value="300"' in html
    assert "6.0 s left" in html or "6 s left" in html


def test_without_samples_the_page_says_so() -> None:
    html = page([])
    assert "Nothing has been measured yet." in html
    assert '<svg class="bars"' not in html
