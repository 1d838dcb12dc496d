"""Failed maintenance tasks are retried with growing pauses."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.service import maintenance, process
from connectors.service.fair_share import FairShare
from connectors.service.maintenance import has_due, pause_after, run_maintenance
from connectors.service.registry import Entry
from connectors.sync.failure_policy import pause_before, reason_of
from schemas.errors import Reject, Retry
from tests.harness.integrations import an_integration
from tests.harness.wire import ORGANIZATION, TENANT

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_pauses_after_failures_grow_to_ten_minutes() -> None:
    pauses = [pause_after(failures, Retry("down"), 1.0) for failures in (1, 2, 3, 4, 5, 6, 10_000)]
    wanted = [60, 120, 240, 480, 600, 600, 600]
    assert all(0.9 * want <= pause <= 1.1 * want for pause, want in zip(pauses, wanted, strict=True)), pauses


@pytest.mark.parametrize(("after", "least"), [(1800.0, 1800), (1e300, 3600), (float("nan"), 54), (-5.0, 54)])
def test_what_the_provider_asks_for_is_obeyed_within_bounds(after: float, least: float) -> None:
    assert least <= pause_after(1, Retry("busy", after=after), 1.0) <= 3600


@pytest.mark.parametrize("after", ["120", 10**400, b"1", datetime.now(UTC), [1]])
def test_a_pause_of_another_type_does_not_fail_the_handling(after: Any) -> None:
    assert 54 <= pause_after(1, Retry("busy", after=after), 1.0) <= 3600
    assert timedelta() <= pause_before(1, after, random.Random(1)) <= timedelta(seconds=3602)


def test_errors_that_lack_their_attributes_have_a_reason_and_a_pause() -> None:
    class OwnRetry(Retry):
        def __init__(self) -> None:
            pass

    class OwnReject(Reject):
        def __init__(self) -> None:
            pass

        def __str__(self) -> str:
            raise KeyError

    assert pause_after(1, OwnRetry(), 1.0) >= 54
    assert reason_of(OwnRetry()) == "OwnRetry"
    assert reason_of(OwnReject()) == "a defect of the connector (OwnReject)"


def test_maintenance_that_fails_itself_is_put_off_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(entry: Entry, *_: object) -> bool:
        ran.append(entry.integration.id)
        if entry.integration.id == "a-odd":
            raise AttributeError("a defect")
        entry.due["reconcile"] = datetime.now(UTC) + timedelta(hours=1)
        return True

    monkeypatch.setattr(process, "run_maintenance", run)
    entries = []
    for identity in ("a-odd", "b-fine"):
        row = an_integration(identity, TENANT, ORGANIZATION)
        session: Any = SimpleNamespace(now=lambda: datetime.now(UTC), integration=row)
        opened: Any = SimpleNamespace(session=session)
        breaker: Any = None
        entry = Entry(opened=opened, breaker=breaker, integration=row, leads=True, switched_on=True)
        entry.due["poll"] = datetime(2020, 1, 1, tzinfo=UTC)
        entries.append(entry)
    entries[1].due.clear()
    service: Any = SimpleNamespace(
        registry=SimpleNamespace(all=lambda: entries),
        stopping=threading.Event(),
        work=threading.Event(),
        _maintenance=FairShare(1, 1),
        _connectors=SimpleNamespace(poll_scale=1.0),
    )
    connection: Any = None
    for _ in range(3):
        process.ConnectorsService._maintain(service, connection)
    assert ran == ["a-odd", "b-fine"]


def test_a_failing_poll_is_not_repeated_at_the_pace_of_a_working_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    polls: list[datetime] = []
    notes: list[dict[str, Any]] = []

    def poll(*_: object) -> None:
        polls.append(now)
        raise Retry("its pages do not move on")

    monkeypatch.setattr(maintenance, "_tasks", lambda *_: [("poll", 1.0, poll)])
    monkeypatch.setattr(maintenance, "note_poll", lambda *args, **more: notes.append(more))
    integration = SimpleNamespace(id="a", tenant_id="t", organization_id="o")
    turn = _Turn()
    session = SimpleNamespace(
        now=lambda: now, integration=integration, time_limit=turn, webhooks_enabled=False
    )
    entry: Any = SimpleNamespace(
        opened=SimpleNamespace(session=session), integration=integration, due={}, failures={}
    )
    beats: list[int] = []
    for _ in range(3600):
        run_maintenance(entry, None, 1.0, lambda: beats.append(1))  # type: ignore[arg-type]
        now += timedelta(seconds=1)
    assert 8 <= len(polls) <= 11, "after one, two, four and eight minutes, then every ten"
    assert len(beats) == len(polls) == turn.begun
    assert notes[-1]["reason"] == "its pages do not move on"
    assert not has_due(SimpleNamespace(opened=entry.opened, due={"reconcile": now + timedelta(hours=1)}))  # type: ignore[arg-type]


def test_a_first_health_check_that_hangs_leaves_a_poll_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    noted: list[datetime] = []

    class Hanging(BaseException):
        """Stands in for a call that never returns."""

    def hang(*_: object) -> None:
        raise Hanging

    tasks = [("health", 120.0, hang), ("poll", 30.0, lambda *_: None)]
    monkeypatch.setattr(maintenance, "_tasks", lambda *_: tasks)
    monkeypatch.setattr(maintenance, "note_poll", lambda _, __, due_at, **___: noted.append(due_at))
    session = SimpleNamespace(now=lambda: now, integration=None, time_limit=_Turn())
    entry: Any = SimpleNamespace(opened=SimpleNamespace(session=session), due={}, failures={}, unusable=None)
    with pytest.raises(Hanging):
        run_maintenance(entry, None, 1.0, lambda: None)  # type: ignore[arg-type]
    assert noted == [now]


@pytest.mark.parametrize(("found", "calls"), [(object(), ["keep"]), (None, ["keep", "drop"])])
def test_no_webhook_is_left_for_an_integration_that_is_removed_meanwhile(
    monkeypatch: pytest.MonkeyPatch, found: object, calls: list[str]
) -> None:
    made: list[str] = []
    provider = SimpleNamespace(
        ensure_webhook=lambda: made.append("keep"), delete_webhook=lambda: made.append("drop")
    )
    monkeypatch.setattr(maintenance, "read_integration", lambda *_: found)
    session: Any = SimpleNamespace(provider=provider, integration=SimpleNamespace(id="a"))
    maintenance.ensure_webhook(session, None)  # type: ignore[arg-type]
    assert made == calls


class _Turn:
    """Time limit that counts how often it is entered."""

    def __init__(self) -> None:
        self.begun = 0

    def __call__(self, seconds: float) -> _Turn:
        assert seconds > 0
        self.begun += 1
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def test_threads_may_add_to_the_times_while_others_look_at_them() -> None:
    """Several maintenance threads and the keeper share an entry; none of them may end the process."""
    session: Any = SimpleNamespace(session=SimpleNamespace(now=lambda: _NOW))
    entry = Entry(opened=session, breaker=Any, integration=an_integration("board", TENANT, ORGANIZATION))  # type: ignore[arg-type]

    class Time(datetime):
        def __le__(self, other: date, /) -> bool:
            entry.due["poll"] = _NOW
            return False

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            entry.due["webhook"] = _NOW
            return str.__eq__(self, other)

    entry.due = {"reconcile": Time(2030, 1, 1, tzinfo=UTC), "health": Time(2030, 1, 1, tzinfo=UTC)}
    assert not has_due(entry)
    entry.due = {Name("health"): _NOW, "look": _NOW}
    entry.follow(replace(entry.integration, state="active"), switched_on=True)
    assert set(entry.due) == {"look"}
