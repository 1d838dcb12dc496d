"""Texts of VTODOs: any value comes back, and nothing else is touched."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.coarse_forms import one_line, plain
from connectors.vtodo import MARKER, UID_SUFFIX, Days, edited, escaped, new_todo, read_todo, utc
from schemas.errors import Skip

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAYS = Days(ZoneInfo("Europe/Berlin"), time(9))
TEXT = st.text(max_size=300)


def _calendar(*lines: str, before: str = "") -> str:
    inner = "\r\n".join(("BEGIN:VTODO", *lines, "END:VTODO"))
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{before}{inner}\r\nEND:VCALENDAR\r\n"


@given(title=TEXT, body=TEXT)
def test_any_text_comes_back(title: str, body: str) -> None:
    said = {"SUMMARY": escaped(one_line(title)), "DESCRIPTION": escaped(plain(body))}
    text = edited(new_todo("u", NOW), said, NOW)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    todo = read_todo(text, DAYS)
    assert (todo.title, todo.body) == (one_line(title) or "", plain(body) or "")


@given(first=TEXT, second=TEXT)
def test_an_edit_leaves_every_other_line_as_it_is(first: str, second: str) -> None:
    odd = _calendar(
        "UID:1",
        "DTSTAMP:20260101T000000Z",
        'X-ODD;X-P="a,b:c":not \\escaped; as, a library\\would',
        "DESCRIPTION:folded in a way\r\n  that nobody else\r\n\tfolds",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT15M",
        "DESCRIPTION:of the alarm",
        "SUMMARY:of the alarm",
        "END:VALARM",
        before="X-WR-CALNAME:of the calendar\r\nSUMMARY:of nothing\r\n",
    )
    once = edited(odd, {"SUMMARY": escaped(one_line(first))}, NOW)
    twice = edited(once, {"SUMMARY": escaped(one_line(second))}, NOW)
    kept = odd.split("\r\n")
    kept.remove("DTSTAMP:20260101T000000Z")
    lines = iter(twice.split("\r\n"))
    assert all(line in lines for line in kept), "all other lines, in their order"
    assert read_todo(twice, DAYS).title == (one_line(second) or "")


def test_the_sequence_counts_the_edits() -> None:
    text = new_todo("u", NOW)
    for number in range(3):
        text = edited(text, {}, NOW)
        assert f"\r\nSEQUENCE:{number}\r\n" in text
        assert text.count("SEQUENCE") == text.count("DTSTAMP") == text.count("LAST-MODIFIED") == 1


@pytest.mark.parametrize(
    ("lines", "due"),
    [
        (["DUE:20260601T100000Z"], datetime(2026, 6, 1, 10, tzinfo=UTC)),
        (["DUE:20260601T100000"], datetime(2026, 6, 1, 8, tzinfo=UTC)),
        (["DUE;VALUE=DATE:20260601"], datetime(2026, 6, 1, 7, tzinfo=UTC)),
        (["DUE;TZID=America/New_York:20260601T100000"], datetime(2026, 6, 1, 14, tzinfo=UTC)),
        (["DUE;TZID=W. Europe Standard Time:20260101T100000"], datetime(2026, 1, 1, 9, tzinfo=UTC)),
        (["DTSTART:20260601T100000Z", "DURATION:PT90M"], datetime(2026, 6, 1, 11, 30, tzinfo=UTC)),
        (["DTSTART:20260601T100000Z"], None),
        ([], None),
    ],
)
def test_every_form_of_due(lines: list[str], due: datetime | None) -> None:
    assert read_todo(_calendar("UID:1", *lines), DAYS).due == due


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], "planned"),
        (["STATUS:NEEDS-ACTION"], "planned"),
        (["STATUS:IN-PROCESS", "PERCENT-COMPLETE:50"], "planned"),
        (["STATUS:COMPLETED"], "done"),
        (["COMPLETED:20260101T000000Z"], "done"),
        (["PERCENT-COMPLETE:100"], "done"),
        (["STATUS:cancelled"], "canceled"),
        (["STATUS:NEEDS-ACTION", "COMPLETED:20260101T000000Z"], "planned"),
    ],
)
def test_every_form_of_status(lines: list[str], status: str) -> None:
    assert read_todo(_calendar("UID:1", *lines), DAYS).status == status


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (_calendar("UID:1", "RRULE:FREQ=DAILY"), "recurring"),
        (_calendar("UID:1", "RDATE:20260101T000000Z"), "recurring"),
        (_calendar("UID:1", "RECURRENCE-ID:20260101T000000Z"), "recurring"),
        (_calendar("UID:1", "END:VTODO", "BEGIN:VTODO", "UID:1"), "recurring"),
        (_calendar("UID:1").replace("VTODO", "VJOURNAL"), "no to-do"),
        (_calendar("UID:1", "DUE:tomorrow"), "not readable"),
        (_calendar("UID:1", "DUE:00010101T000000Z"), "not readable"),
        (_calendar("UID:1", "PRIORITY:high"), "not readable"),
        ("", "not readable"),
        ("BEGIN:VCALENDAR", "not readable"),
        ("<html>", "not readable"),
    ],
)
def test_what_is_not_for_us_says_why(text: str, reason: str) -> None:
    with pytest.raises(Skip) as caught:
        read_todo(text, DAYS)
    assert str(caught.value) == reason


@given(text=st.text(max_size=400))
def test_no_text_is_a_defect(text: str) -> None:
    for calendar in (text, _calendar(text), _calendar("UID:1", f"DUE:{text}", f"PRIORITY:{text}")):
        try:
            read_todo(calendar, DAYS)
        except Skip:
            continue


def test_the_marker_is_known_by_uid_or_property() -> None:
    assert read_todo(_calendar(f"UID:m-1{UID_SUFFIX}"), DAYS).marker == "m-1"
    assert read_todo(_calendar("UID:other", f"{MARKER}:m-1"), DAYS).marker == "m-1"
    assert read_todo(_calendar("UID:other"), DAYS).marker is None


@pytest.mark.parametrize(
    ("start", "stays"),
    [
        ("DTSTART:20260601T100000Z", True),
        ("DTSTART;TZID=Europe/Berlin:20260601T125900", True),
        ("DTSTART;TZID=Europe/Berlin:20260601T130000", False),
        ("DTSTART:20260601T110000Z", False),
        ("DTSTART;VALUE=DATE:20260601", False),
    ],
)
def test_a_start_that_is_not_before_the_new_due_goes(start: str, *, stays: bool) -> None:
    due = utc(datetime(2026, 6, 1, 11, tzinfo=UTC))
    text = edited(_calendar("UID:1", start, "DURATION:PT1H"), {"DUE": due}, NOW)
    assert (start in text) == stays
    assert "DURATION" not in text
    assert "\r\nDUE:20260601T110000Z\r\n" in text
