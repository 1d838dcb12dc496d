"""Guard around a provider: odd results and exceptions stay with their integration, and ids can be stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.sdk.remote import ChangePage, Gone, Health, RemoteChange, RemoteObject
from connectors.service.guarded_provider import GuardedProvider, ProviderDefect, contained, is_storable
from schemas.errors import Retry, Skip

_FINE = "card-1"
_UNUSABLE = ["", "a\x00b", "\ud800", "é" * 501, 7, None]


def _guarded(**methods: Callable[..., Any]) -> GuardedProvider:
    inner: Any = SimpleNamespace(**methods)
    return GuardedProvider(inner, "board")


def _raise(error: BaseException) -> Callable[..., Any]:
    def method(*_: object) -> None:
        raise error

    return method


def _change(identity: Any, **more: Any) -> RemoteChange:
    given = {"event_id": "e-1", "external_id": identity, "occurred_at": None, **more}
    return RemoteChange(**given)


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), BaseException("panic")])
def test_what_is_no_exception_becomes_a_defect(error: BaseException) -> None:
    with pytest.raises(ProviderDefect, match=type(error).__name__):
        _guarded(read=_raise(error)).read(_FINE)
    with pytest.raises(ProviderDefect):
        _guarded(verify_and_parse_webhook=_raise(error)).verify_and_parse_webhook({}, b"", "")


@pytest.mark.parametrize("error", [Retry("down"), KeyError("x"), KeyboardInterrupt()])
def test_exceptions_and_interrupts_stay_what_they_are(error: BaseException) -> None:
    with pytest.raises(type(error)), contained():
        raise error


@pytest.mark.parametrize("found", [None, 7, {"ok": True}, (True, "fine")])
def test_results_of_other_types_are_defects(found: Any) -> None:
    provider = _guarded(health=lambda: found, read=lambda _: found, changes=lambda _: found)
    for call in (provider.health, lambda: provider.read(_FINE), lambda: provider.changes(None)):
        with pytest.raises(ProviderDefect, match="was expected"):
            call()


def test_a_health_detail_fits_on_one_line() -> None:
    found = _guarded(health=lambda: Health(ok=True, detail="up\x00\n" + "x" * 999)).health()
    assert found.detail.startswith("up  x")
    assert len(found.detail) == 300


@pytest.mark.parametrize("identity", _UNUSABLE)
def test_an_object_whose_id_cannot_be_stored_is_skipped(identity: Any) -> None:
    found = RemoteObject(external_id=identity, values={})
    with pytest.raises(Skip, match="id cannot be stored"):
        _guarded(read=lambda _: found).read(_FINE)
    with pytest.raises(Skip, match="id cannot be stored"):
        _guarded(find_by_marker=lambda _: found).find_by_marker("m")


def test_texts_beside_the_id_that_cannot_be_stored_are_left_out() -> None:
    found = RemoteObject(external_id=_FINE, values={}, marker="m\x00", url="https://x/\ud800", version="1")
    assert _guarded(read=lambda _: found).read(_FINE) == RemoteObject(
        external_id=_FINE, values={}, version="1"
    )
    with pytest.raises(Skip, match="version"):
        _guarded(read=lambda _: RemoteObject(external_id=_FINE, values={}, version="\x00")).read(_FINE)
    gone = Gone(external_id=_FINE)
    assert _guarded(read=lambda _: gone).read(_FINE) is gone


def test_a_page_keeps_the_changes_that_can_be_stored() -> None:
    state = RemoteObject(external_id=_FINE, values={}, marker="x\x00.0b0e0c0a-0000-0000-0000-000000000000")
    changes = [*map(_change, _UNUSABLE), _change(_FINE, event_id="e\x00" * 9999, state=state)]
    page = ChangePage(changes=tuple(changes), cursor="c", skipped={"a\x00": "odd", "b": "template"})
    found = _guarded(changes=lambda _: page).changes(None)
    [kept] = found.changes
    assert kept.external_id == _FINE
    assert is_storable(kept.event_id)
    assert kept.state is not None
    assert kept.state.marker is None
    assert found.skipped == {"b": "template"}
    again = _guarded(changes=lambda _: page).changes(None).changes
    assert again == found.changes, "a repeated event keeps its id"


@pytest.mark.parametrize("moment", ["2026-01-01", 7, datetime(2026, 1, 1)])  # noqa: DTZ001 - naive
def test_a_time_of_another_type_counts_as_unknown(moment: Any) -> None:
    page = ChangePage(changes=(_change(_FINE, occurred_at=moment),), cursor="c")
    assert _guarded(changes=lambda _: page).changes(None).changes == (_change(_FINE),)


@pytest.mark.parametrize("cursor", [None, 7, "", "\x00", "\udfff"])
def test_a_cursor_that_cannot_be_stored_is_a_defect(cursor: Any) -> None:
    with pytest.raises(ProviderDefect, match="cursor"):
        _guarded(changes=lambda _: ChangePage(changes=(), cursor=cursor)).changes(None)
