"""A receipt is shown to the one whose operation was confirmed, for a minute, and to no one else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import Request

from tests.unit.web.viewers import a_viewer
from web.receipt import make_receipt, receipt_of

_NOW = datetime(2026, 3, 25, 11, 0, tzinfo=UTC)


def _asking(done: str) -> Request:
    return Request({"type": "http", "query_string": f"done={done}".encode(), "headers": []})


def test_a_receipt_is_read_back() -> None:
    viewer = a_viewer(now=_NOW)
    found = receipt_of(_asking(make_receipt(viewer, "retried", 12)), viewer)
    assert found is not None
    assert (found.kind, found.n) == ("retried", 12)


def test_after_a_minute_it_is_not_shown() -> None:
    made = make_receipt(a_viewer(now=_NOW), "retried", 12)
    assert receipt_of(_asking(made), a_viewer(now=_NOW + timedelta(seconds=59))) is not None
    assert receipt_of(_asking(made), a_viewer(now=_NOW + timedelta(seconds=61))) is None


def test_of_another_session_or_changed_it_is_not_shown() -> None:
    viewer = a_viewer(now=_NOW)
    made = make_receipt(viewer, "retried", 12)
    assert receipt_of(_asking(made), a_viewer(now=_NOW, csrf="other")) is None
    assert receipt_of(_asking(made.replace("12", "13", 1)), viewer) is None
    assert receipt_of(_asking(made.replace("retried", "removed")), viewer) is None


def test_a_command_id_is_no_receipt() -> None:
    assert receipt_of(_asking("33333333-3333-4333-8333-333333333333"), a_viewer()) is None
