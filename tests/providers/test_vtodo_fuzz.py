"""Fuzzed to-dos: parsed as intended, never an unexpected error, and edited only where they change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.providers.caldav import DECLARATION
from connectors.providers.caldav.ics.content_lines import ContentLine, content_lines, own_lines
from connectors.providers.caldav.ics.editing import edited
from connectors.providers.caldav.vtodo import Todo, TodoText
from connectors.sdk.coarse_forms import one_line
from schemas.errors import Skip
from tests.harness.examples import scaled
from tests.providers.radicale_server import radicale
from tests.providers.test_caldav import CaldavHarness
from tests.providers.todo_texts import DAYS, TodoCase, damaged, todo_cases
from tests.providers.xandikos_server import xandikos

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_FIELDS: Final = {
    "title": ("title", {"SUMMARY"}),
    "body": ("body", {"DESCRIPTION"}),
    "status": ("status", {"STATUS", "PERCENT-COMPLETE"}),
    "scheduled_at": ("due", {"DUE", "DTSTART", "DURATION"}),
    "occurred_at": ("completed", {"COMPLETED"}),
    "priority": ("priority", {"PRIORITY"}),
}
_STAMPS: Final = {"SEQUENCE", "DTSTAMP", "LAST-MODIFIED"}
_MOMENTS: Final = st.integers(10**7, 2 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
_CHANGES: Final = st.one_of(
    st.fixed_dictionaries({"title": st.sampled_from(["Call: Ada; soon, übermorgen", None])}),
    st.fixed_dictionaries({"body": st.sampled_from(["a\nb\\n", "x" * 200, None])}),
    st.fixed_dictionaries({"status": st.sampled_from(["planned", "done", "canceled"])}),
    st.fixed_dictionaries({"scheduled_at": st.one_of(st.none(), _MOMENTS)}),
    st.fixed_dictionaries({"occurred_at": st.one_of(st.none(), _MOMENTS)}),
    st.fixed_dictionaries({"priority": st.sampled_from([None, 1, 9])}),
)


def read(data: bytes) -> Todo:
    return TodoText(data, DAYS).read()


def shown(todo: Todo) -> dict[str, Any]:
    """Values of a to-do by field; unreadable ones are absent."""
    found = {"title": one_line(todo.title) or "", "body": todo.body, "status": todo.status}
    for name, field in (("due", "scheduled_at"), ("priority", "priority")):
        if field not in todo.unreadable:
            found[name] = getattr(todo, name)
    return found


def others(data: bytes, names: set[str]) -> list[bytes]:
    """Octets of every line of an object, except for some properties of its to-do."""
    lines = content_lines(data)
    start = next(number for number, line in enumerate(lines) if line.text.upper() == "BEGIN:VTODO") + 1
    left_out = {start + number for number, line in own_lines(lines[start:]) if line.name in names}
    return [line.sendable for number, line in enumerate(lines) if number not in left_out]


@given(todo_cases())
def test_every_object_is_read_as_it_is_meant(case: TodoCase) -> None:
    assert shown(read(case.data)) == case.values


@given(todo_cases(), todo_cases())
def test_no_object_changes_the_meaning_of_another(first: TodoCase, second: TodoCase) -> None:
    for case in (first, second, first):
        assert shown(read(case.data)) == case.values


@given(st.one_of(damaged(), st.binary(max_size=300)), _CHANGES)
def test_no_text_is_a_defect(data: bytes, change: Mapping[str, Any]) -> None:
    assert b"".join(line.octets for line in content_lines(data)) == data
    try:
        todo = TodoText(data, DAYS)
    except Skip:
        return
    todo.read()
    assert edited(data, {}, NOW) == data
    (name,) = change
    attribute, _ = _FIELDS[name]
    changed = read(edited(data, todo.setting(change), NOW))
    assert (getattr(changed, attribute) or None) == change[name] or name in {"title", "body"}


@given(todo_cases(), _CHANGES)
def test_a_change_touches_only_what_belongs_to_it(case: TodoCase, change: Mapping[str, Any]) -> None:
    before = read(case.data)
    changed = edited(case.data, TodoText(case.data, DAYS).setting(change), NOW)
    after = read(changed)
    (name,) = change
    for field, (attribute, _) in _FIELDS.items():
        if field == name:
            assert (getattr(after, attribute) or None) == change[name]
        elif (
            field != "status"
            or name != "occurred_at"
            or "STATUS" in case.data.decode(errors="replace").upper()
        ):
            assert getattr(after, attribute) == getattr(before, attribute), field
    assert after.unreadable == before.unreadable - {name}
    names = _FIELDS[name][1] | _STAMPS
    assert others(changed, names) == others(case.data, names)
    assert changed == case.data or all(_is_utf8(line) for line in content_lines(changed))


def _is_utf8(line: ContentLine) -> bool:
    try:
        line.octets.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.fixture(scope="module", params=[radicale, xandikos], ids=["radicale", "xandikos"])
def harness(request: pytest.FixtureRequest) -> Iterator[CaldavHarness]:
    with request.param() as server:
        made = CaldavHarness(server)
        yield made
        made.close()


@pytest.mark.random
def test_real_servers_keep_what_is_not_changed(harness: CaldavHarness) -> None:
    provider = DECLARATION.make(harness.settings.model_copy(update={"time_zone": DAYS.zone}), harness.context)
    folder = str(harness.calendar.url.path).rstrip("/")
    examples, taken = scaled(25), 0

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(todo_cases(lawful=True))
    def run(case: TodoCase) -> None:
        nonlocal taken
        path = f"{folder}/drawn.ics"
        if not harness.stores(path, case.data):
            return  # the server refuses such an object
        taken += 1
        seen: Any = provider.read(path)
        stored = shown(read(harness.raw(path)))
        after: Any = provider.update(path, {"title": "Call Ada"}, seen)
        assert after.values == {**seen.values, "title": "Call Ada"}
        assert shown(read(harness.raw(path))) == {**stored, "title": "Call Ada"}

    run()
    assert taken >= examples // 5
