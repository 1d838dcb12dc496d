"""VTODO text: values round-trip, each property is parsed on its own, other lines stay."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.providers.caldav.ics.date_times import AllDay, Days
from connectors.providers.caldav.ics.editing import edited, with_properties
from connectors.providers.caldav.vtodo import MARKER, UID_SUFFIX, Todo, TodoText, new_todo
from connectors.sdk.coarse_forms import one_line, plain
from schemas.errors import Skip

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
BERLIN: Final = Days(ZoneInfo("Europe/Berlin"), time(9))
TEXT: Final = st.text(max_size=300)


def stored(name: str) -> bytes:
    """A calendar object as written by some client."""
    return (Path(__file__).parent / "ics" / f"{name}.ics").read_bytes()


def calendar(*lines: str, before: str = "") -> bytes:
    inner = "\r\n".join(("BEGIN:VTODO", *lines, "END:VTODO"))
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{before}{inner}\r\nEND:VCALENDAR\r\n".encode()
    )


def read(data: bytes, days: Days = BERLIN) -> Todo:
    return TodoText(data, days).read()


def put(data: bytes, values: Mapping[str, Any], days: Days = BERLIN) -> bytes:
    return edited(data, TodoText(data, days).setting(values), NOW)


def lines_of(data: bytes) -> list[str]:
    return data.decode().replace("\r\n", "\n").split("\n")


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


class TestTexts:
    """TEXT values, folds and characters."""

    @given(title=TEXT, body=TEXT)
    def test_any_text_comes_back(self, title: str, body: str) -> None:
        made = new_todo("u", "m-1", NOW)
        data = with_properties(made, TodoText(made, BERLIN).setting({"title": title, "body": body}))
        assert all(len(line) <= 75 for line in data.split(b"\r\n"))
        todo = read(data)
        assert (todo.title, todo.body) == (one_line(title) or "", plain(body) or "")

    def test_a_fold_inside_a_character_is_undone_before_decoding(self) -> None:
        assert read(stored("fold-inside-utf8")).title == "Angebot für Müller"

    def test_a_fold_inside_a_character_is_written_so_that_a_server_can_read_it(self) -> None:
        # Radicale decodes such octets as ISO 8859-1, Xandikos refuses them.
        data = put(stored("fold-inside-utf8"), {"priority": 1})
        assert "SUMMARY:Angebot für Müller\r\n" in data.decode()
        assert read(data).title == "Angebot für Müller"

    def test_octets_that_are_not_utf8_count_as_iso_8859_1(self) -> None:
        data = calendar("UID:1", "SUMMARY:Müller").decode().encode("iso-8859-1")
        assert read(data).title == "Müller"
        assert "SUMMARY:Müller\r\n" in put(data, {"body": "für"}).decode()

    def test_octets_that_clients_mean_as_windows_1252_keep_their_signs(self) -> None:
        data = calendar("UID:1", "SUMMARY:„Angebot“ – 5 €").decode().encode("windows-1252")
        assert read(data).title == "„Angebot“ – 5 €"
        assert "SUMMARY:„Angebot“ – 5 €\r\n" in put(data, {"body": "für"}).decode()
        assert read(data.replace(b"Angebot", b"\x81")).title == "\x84\x81\x93 \x96 5 \x80"

    def test_a_line_end_with_two_carriage_returns_is_undone_as_one(self) -> None:
        data = calendar("UID:1", "SUMMARY:Call A\r\n da", "", "DESCRIPTION:b").replace(b"\r\n", b"\r\r\n")
        assert (read(data).title, read(data).body) == ("Call Ada", "b")
        assert read(put(data, {"body": "new"})).title == "Call Ada"

    def test_of_a_repeated_property_the_first_holds(self) -> None:
        assert read(stored("two-descriptions")).body == "one"
        twice = calendar(
            *("UID:m-1" + UID_SUFFIX, "UID:2", "SUMMARY:a", "SUMMARY:b", "PRIORITY:1", "PRIORITY:9"),
            *("STATUS:COMPLETED", "STATUS:CANCELLED", "DUE:20260601T100000Z", "DUE:20270601T100000Z"),
            *("COMPLETED:20260501T100000Z", "COMPLETED:20270501T100000Z"),
        )
        todo = read(twice)
        assert (todo.marker, todo.title, todo.priority, todo.status) == ("m-1", "a", 1, "done")
        assert (todo.due, todo.completed) == (at(2026, 6, 1, 10), at(2026, 5, 1, 10))

    def test_of_a_repeated_property_one_is_left_when_it_is_set(self) -> None:
        data = put(stored("two-descriptions"), {"body": "three"})
        assert [line for line in lines_of(data) if line.startswith("DESCRIPTION")] == ["DESCRIPTION:three"]
        cleared = put(stored("two-descriptions"), {"body": None})
        assert read(cleared).body == ""

    def test_a_quote_that_is_never_closed_hides_no_value(self) -> None:
        assert read(calendar("UID:1", 'SUMMARY;X-A="b:Call Ada')).title == "Call Ada"

    def test_a_quoted_parameter_may_hold_separators(self) -> None:
        todo = read(calendar("UID:1", 'SUMMARY;ALTREP="http://a.example/;b":Call: Ada'))
        assert todo.title == "Call: Ada"

    def test_categories_hold_no_control_characters(self) -> None:
        todo = read(calendar("UID:1", "CATEGORIES:a\\,b,c\x00d", "CATEGORIES:e"))
        assert todo.extra["categories"] == ["a,b", "cd", "e"]


class TestLinesThatAreNotOurs:
    """Unchanged lines stay byte for byte."""

    @given(first=TEXT, second=TEXT)
    def test_an_edit_leaves_every_other_line_as_it_is(self, first: str, second: str) -> None:
        odd = calendar(
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
        twice = put(put(odd, {"title": first}), {"title": second})
        kept = odd.decode().split("\r\n")
        kept.remove("DTSTAMP:20260101T000000Z")
        lines = iter(twice.decode().split("\r\n"))
        assert all(line in lines for line in kept), "all other lines, in their order"
        assert read(twice).title == (one_line(second) or "")

    @pytest.mark.parametrize(
        "path", sorted((Path(__file__).parent / "ics").glob("*.ics")), ids=lambda p: p.stem
    )
    def test_setting_what_is_there_changes_no_byte(self, path: Path) -> None:
        data = path.read_bytes()
        todo = read(data)
        values = {"title": todo.title, "scheduled_at": todo.due, "occurred_at": todo.completed}
        assert put(data, {name: value for name, value in values.items() if value}) == data
        assert edited(data, {}, NOW) == data

    def test_line_ends_stay_as_they_are(self) -> None:
        data = stored("undo")
        assert b"\r" not in data
        changed = put(data, {"title": "x" * 100, "body": "new"})
        assert b"\r" not in changed
        assert read(changed).title == "x" * 100

    def test_a_new_property_goes_before_the_alarms(self) -> None:
        names = [line.partition(":")[0] for line in lines_of(put(stored("alarm-start-only"), {"body": "b"}))]
        assert names.index("DESCRIPTION") < names.index("BEGIN", names.index("BEGIN", 1) + 1)
        assert names[-4:-1] == ["END", "END", "END"]

    def test_a_property_behind_an_alarm_moves_before_it_when_it_is_set(self) -> None:
        data = calendar("UID:1", "BEGIN:VALARM", "ACTION:AUDIO", "END:VALARM", "SUMMARY:behind")
        assert read(data).title == "behind"
        lines = lines_of(put(data, {"title": "before"}))
        assert lines.index("SUMMARY:before") < lines.index("BEGIN:VALARM")
        assert "SUMMARY:behind" not in lines

    def test_the_sequence_counts_the_edits_from_one(self) -> None:
        data = stored("undo")
        for number in range(1, 4):
            data = put(data, {"title": f"title {number}"})
            assert lines_of(data).count(f"SEQUENCE:{number}") == 1
            assert data.count(b"SEQUENCE") == data.count(b"DTSTAMP") == data.count(b"LAST-MODIFIED") == 1
        assert b"SEQUENCE:0\r\n" in new_todo("u", "m-1", NOW)

    @pytest.mark.parametrize(
        ("before", "after"),
        [("7", "8"), ("-1", "1"), ("x", "1"), ("2147483647", "2147483647"), ("9" * 5000, "1")],
    )
    def test_an_odd_sequence_goes_on_in_range(self, before: str, after: str) -> None:
        data = put(calendar("UID:1", f"SEQUENCE:{before}"), {"title": "a"})
        assert f"SEQUENCE:{after}" in lines_of(data)


class TestFieldsAlone:
    """An unreadable field does not affect the others."""

    @pytest.mark.parametrize(
        ("written", "level"),
        [("0", None), ("1", 1), ("9", 9), ("10", 9), ("-3", None), ("99999999999", 9), (" 5 ", 5), ("+5", 5)],
    )
    def test_a_priority_out_of_range_is_the_nearest_one(self, written: str, level: int | None) -> None:
        assert read(calendar("UID:1", f"PRIORITY:{written}")).priority == level

    def test_a_priority_of_ten_is_the_lowest(self) -> None:
        todo = read(stored("prio10"))
        assert (todo.title, todo.priority, todo.unreadable) == ("prio 10", 9, frozenset())

    @pytest.mark.parametrize(
        ("line", "field"),
        [
            ("PRIORITY:high", "priority"),
            ("PRIORITY:" + "9" * 5000, "priority"),
            ("DUE:tomorrow", "scheduled_at"),
            ("DUE:", "scheduled_at"),
            ("DUE:20260230T100000Z", "scheduled_at"),
            ("DUE:00010101T000000Z", "scheduled_at"),
            ("DUE:18991231T235959Z", "scheduled_at"),
            ("DUE:22000101T000000Z", "scheduled_at"),
            ("DUE;VALUE=DATE:99991231", "scheduled_at"),
            ("DTSTART:20260601T100000Z\r\nDURATION:soon", "scheduled_at"),
            ("DTSTART:20260601T100000Z\r\nDURATION:P99999999D", "scheduled_at"),
            ("COMPLETED:20260230T100000Z", "occurred_at"),
        ],
    )
    def test_an_unreadable_field_is_named_and_hides_no_other(self, line: str, field: str) -> None:
        todo = read(calendar("UID:1", "STATUS:NEEDS-ACTION", line, "SUMMARY:Call Ada"))
        assert (todo.title, todo.status) == ("Call Ada", "planned")
        assert todo.unreadable == {field}
        assert todo.extra["unreadable"] == [field]

    def test_only_what_is_read_must_be_readable(self) -> None:
        todo = read(stored("created-0000"))
        assert (todo.title, todo.due) == ("created 0000", at(2028, 6, 1, 8))
        odd = calendar(
            *("UID:1", "DTSTAMP:never", "LAST-MODIFIED:00000000T000000Z", "SUMMARY:a", "no colon", ":", ";"),
            *("PERCENT-COMPLETE:half", "X-A;=:b", "BEGIN:VALARM", "TRIGGER:soon", "SUMMARY:alarm"),
            before="BEGIN:VTIMEZONE\r\nTZID\r\nBEGIN:STANDARD\r\nRRULE:FREQ=NEVER\r\nEND:VTIMEZONE\r\n",
        )
        todo = read(odd)
        assert (todo.title, todo.changed_at, todo.unreadable) == ("a", None, frozenset())

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (calendar("UID:1", "RRULE:FREQ=DAILY"), "recurring"),
            (calendar("UID:1", "RDATE:20260101T000000Z"), "recurring"),
            (calendar("UID:1", "RECURRENCE-ID:20260101T000000Z"), "recurring"),
            (calendar("UID:1", "END:VTODO", "BEGIN:VTODO", "UID:1"), "recurring"),
            (calendar("UID:1", "END:VTODO", "BEGIN:VTODO", "UID:2"), "more than one to-do"),
            (calendar("UID:1", *["X-A:b"] * 10_000), "more than 10,000 lines"),
            (calendar("UID:1").replace(b"VTODO", b"VJOURNAL"), "no to-do"),
            (calendar("UID:1").replace(b"END:VTODO", b""), "not readable"),
            (b"", "not readable"),
            (b"BEGIN:VCALENDAR", "not readable"),
            (b"<html>", "not readable"),
        ],
    )
    def test_what_is_not_for_us_says_why(self, data: bytes, reason: str) -> None:
        with pytest.raises(Skip) as caught:
            read(data)
        assert str(caught.value) == reason


class TestDue:
    """Due dates in every form."""

    @pytest.mark.parametrize(
        ("lines", "due"),
        [
            (["DUE:20260601T100000Z"], at(2026, 6, 1, 10)),
            (["DUE:20260601T100000"], at(2026, 6, 1, 8)),
            (["DUE;VALUE=DATE:20260601"], at(2026, 6, 1, 7)),
            (["DUE:20260601"], at(2026, 6, 1, 7)),
            (["DUE;TZID=America/New_York:20260601T100000"], at(2026, 6, 1, 14)),
            (["DUE;TZID=america/new_york:20260601T100000"], at(2026, 6, 1, 14)),
            (["DUE;TZID=W. Europe Standard Time:20260101T100000"], at(2026, 1, 1, 9)),
            (["DUE;TZID=/freeassociation.sourceforge.net/Asia/Tokyo:20260601T100000"], at(2026, 6, 1, 1)),
            (["DUE;TZID=/citadel.org/20210210_1/Asia/Tokyo:20260601T100000"], at(2026, 6, 1, 1)),
            (["DUE;TZID=Asia/Tokyo:20260601T100000Z"], at(2026, 6, 1, 10)),
            (["DUE;TZID=Nowhere:20260601T100000"], at(2026, 6, 1, 8)),
            (["DTSTART:20260601T100000Z", "DURATION:PT90M"], at(2026, 6, 1, 11, 30)),
            (["DTSTART;VALUE=DATE:20260601", "DURATION:P2D"], at(2026, 6, 3, 7)),
            (["DTSTART;TZID=Europe/Berlin:20260328T100000", "DURATION:P1D"], at(2026, 3, 29, 8)),
            (["DTSTART;TZID=Europe/Berlin:20260328T100000", "DURATION:PT24H"], at(2026, 3, 29, 9)),
            (["DTSTART:20260601T100000Z"], None),
            ([], None),
        ],
    )
    def test_every_form_of_due(self, lines: list[str], due: datetime | None) -> None:
        todo = read(calendar("UID:1", *lines))
        assert (todo.due, todo.unreadable) == (due, frozenset())

    def test_the_zone_of_an_object_is_its_own(self) -> None:
        for _ in range(2):
            assert read(stored("custom-a")).due == at(2028, 6, 1, 8)
            assert read(stored("custom-b")).due == at(2028, 6, 1, 15)
        assert read(calendar("UID:1", "DUE;TZID=Customized Time Zone:20280601T100000")).due == at(
            2028, 6, 1, 8
        )

    def test_the_zone_of_an_object_comes_before_a_known_name(self) -> None:
        own = stored("custom-b").replace(b'"Customized Time Zone"', b"Asia/Tokyo")
        assert read(own.replace(b"Customized Time Zone", b"Asia/Tokyo")).due == at(2028, 6, 1, 15)

    def test_an_attachment_is_one_line_however_it_is_folded(self) -> None:
        data = calendar("UID:1", "ATTACH:" + "A\r\n " * 20_000, *["\r\n"] * 20_000, "SUMMARY:Call Ada")
        assert read(data).title == "Call Ada"

    @pytest.mark.parametrize(
        ("zone", "due"),
        [
            ("UTC+9", at(2026, 7, 2, 1)),
            ("GMT-05:30", at(2026, 7, 2, 15, 30)),
            ("gmt+0930", at(2026, 7, 2, 0, 30)),
            ("UTC-0", at(2026, 7, 2, 10)),
            ("Etc/GMT+5", at(2026, 7, 2, 15)),  # the sign of these names is the other way round
            ("Z", at(2026, 7, 2, 10)),
            ("tzone://Microsoft/Utc", at(2026, 7, 2, 10)),
            # unknown names: the integration's zone
            ("UTC+99", at(2026, 7, 2, 8)),
            ("localtime", at(2026, 7, 2, 8)),
            ("Factory", at(2026, 7, 2, 8)),
        ],
    )
    def test_an_offset_may_name_a_zone(self, zone: str, due: datetime) -> None:
        data = calendar("UID:1", f'DUE;TZID="{zone}":20260702T100000')
        assert read(data).due == due
        moved = put(data, {"scheduled_at": due + timedelta(days=1)})
        assert f'DUE;TZID="{zone}":20260703T100000' in lines_of(moved), "the form stays"

    @pytest.mark.parametrize(
        ("defined", "used"),
        [
            ("(UTC+09:00) Osaka\\, Tokyo", '"(UTC+09:00) Osaka, Tokyo"'),
            ("(UTC+09:00) Osaka, Tokyo", '"(UTC+09:00) Osaka, Tokyo"'),
            ('"Osaka, Tokyo"', '"Osaka, Tokyo"'),
            ("Osaka\\; Tokyo", '"Osaka\\; Tokyo"'),
            ("Custom zone", "custom Zone"),
        ],
    )
    def test_a_zone_is_found_in_both_spellings_of_its_name(self, defined: str, used: str) -> None:
        zone = stored("custom-a").decode().partition("BEGIN:VTODO")[0].partition("BEGIN:VTIMEZONE")[2]
        zone = zone.replace("TZID:Customized Time Zone", f"TZID:{defined}").replace("+0200", "+0900")
        data = calendar("UID:1", f"DUE;TZID={used}:20260702T100000", before=f"BEGIN:VTIMEZONE{zone}")
        assert read(data).due == at(2026, 7, 2, 1)

    @pytest.mark.parametrize(
        ("lines", "written"),
        [
            (["DTSTART:19000102T000000Z", "DURATION:-P100000D"], "DUE:20300505T050500Z"),
            (["DTSTART:21991231T000000Z", "DURATION:P100000D"], "DUE:20300505T050500Z"),
        ],
    )
    def test_a_duration_that_reaches_out_of_range_gives_way_to_a_due_date(
        self, lines: list[str], written: str
    ) -> None:
        data = calendar("UID:1", *lines)
        assert read(data).unreadable == {"scheduled_at"}
        moved = put(data, {"scheduled_at": at(2030, 5, 5, 5, 5)})
        assert read(moved).due == at(2030, 5, 5, 5, 5)
        assert written in lines_of(moved)
        assert "DURATION" not in moved.decode()

    def test_clearing_removes_what_makes_the_due_date(self) -> None:
        data = put(stored("duration-clear"), {"scheduled_at": None})
        assert read(data).due is None
        assert "DTSTART:20280601T080000Z" in lines_of(data)
        assert read(put(calendar("UID:1", "DUE:tomorrow"), {"scheduled_at": None})).unreadable == frozenset()

    @pytest.mark.parametrize(
        ("lines", "moment", "written"),
        [
            # the form stays
            (["DUE:20260601T100000Z"], at(2026, 6, 2, 11), ["DUE:20260602T110000Z"]),
            (["DUE:20260601T100000"], at(2026, 6, 2, 11), ["DUE:20260602T130000"]),
            (
                ['DUE;X-A=1;TZID="America/New_York":20260601T100000'],
                at(2026, 6, 2, 14),
                ['DUE;X-A=1;TZID="America/New_York":20260602T100000'],
            ),
            (["DUE;VALUE=DATE:20260601"], at(2026, 6, 2, 7), ["DUE;VALUE=DATE:20260602"]),
            # ... unless it cannot express the instant
            (["DUE;VALUE=DATE:20260601"], at(2026, 6, 2, 13, 30), ["DUE:20260602T133000Z"]),
            (["DUE;TZID=Europe/Berlin:20260601T100000"], at(2026, 10, 25, 1, 30), ["DUE:20261025T013000Z"]),
            (["DUE;TZID=Asia/Tokyo:20260601T100000Z"], at(2026, 6, 2, 11), ["DUE:20260602T110000Z"]),
            ([], at(2026, 6, 2, 11), ["DUE:20260602T110000Z"]),
            # the start moves too, in the form of the due date
            (
                ["DTSTART;VALUE=DATE:20280530", "DUE;VALUE=DATE:20280601"],
                at(2028, 6, 10, 7),
                ["DTSTART;VALUE=DATE:20280608", "DUE;VALUE=DATE:20280610"],
            ),
            (
                ["DTSTART;VALUE=DATE:20280530", "DUE;VALUE=DATE:20280601"],
                at(2028, 6, 10, 13),
                ["DTSTART:20280608T130000Z", "DUE:20280610T130000Z"],
            ),
            (
                ["DTSTART:20280601T100000", "DUE:20280601T180000"],
                at(2028, 6, 1, 9),
                ["DTSTART:20280601T030000", "DUE:20280601T110000"],
            ),
            (
                ["DTSTART;TZID=Europe/Berlin:20260328T100000", "DUE;TZID=Europe/Berlin:20260328T110000"],
                at(2026, 3, 29, 9),
                ["DTSTART;TZID=Europe/Berlin:20260329T100000", "DUE;TZID=Europe/Berlin:20260329T110000"],
            ),
            (
                ["DTSTART:20280531T080000Z", "DUE;TZID=Europe/Berlin:20280601T100000"],
                at(2028, 6, 2, 8),
                ["DTSTART;TZID=Europe/Berlin:20280601T100000", "DUE;TZID=Europe/Berlin:20280602T100000"],
            ),
            # a start after the due date is moved to it
            (
                ["DTSTART:20280603T080000Z", "DUE:20280601T080000Z"],
                at(2028, 6, 2, 8),
                ["DTSTART:20280602T080000Z", "DUE:20280602T080000Z"],
            ),
            (
                ["DTSTART:20280601T080000Z"],
                at(2028, 6, 5, 8),
                ["DTSTART:20280601T080000Z", "DUE:20280605T080000Z"],
            ),
            (
                ["DTSTART:20280601T080000Z"],
                at(2028, 5, 5, 8),
                ["DTSTART:20280505T080000Z", "DUE:20280505T080000Z"],
            ),
            # a duration stays a duration
            (
                ["DTSTART:20280601T080000Z", "DURATION:PT90M"],
                at(2028, 7, 1, 9),
                ["DTSTART:20280701T073000Z", "DURATION:PT90M"],
            ),
            (
                ["DTSTART;VALUE=DATE:20280601", "DURATION:P2D"],
                at(2028, 7, 5, 7),
                ["DTSTART;VALUE=DATE:20280703", "DURATION:P2D"],
            ),
            (
                ["DTSTART;VALUE=DATE:20280601", "DURATION:P2D"],
                at(2028, 7, 5, 8),
                ["DTSTART:20280703T080000Z", "DURATION:P2D"],
            ),
        ],
    )  # fmt: skip
    def test_a_new_due_date_keeps_form_and_start(
        self, lines: list[str], moment: datetime, written: list[str]
    ) -> None:
        data = put(calendar("UID:1", *lines), {"scheduled_at": moment})
        names = ("DTSTART", "DUE", "DURATION")
        assert sorted(line for line in lines_of(data) if line.startswith(names)) == sorted(written)
        assert read(data).due == moment

    @pytest.mark.parametrize(
        "name", ["allday-range-later", "alarm-start-only", "floating-tz-edge", "custom-a"]
    )
    def test_alarms_keep_their_anchor(self, name: str) -> None:
        moment = at(2028, 7, 3, 10, 20)
        data = put(stored(name), {"scheduled_at": moment})
        assert read(data).due == moment
        assert ("DTSTART" in stored(name).decode()) == ("DTSTART" in data.decode())
        alarm = stored(name).decode().partition("BEGIN:VALARM")[2]
        assert data.decode().partition("BEGIN:VALARM")[2] == alarm

    def test_a_date_takes_the_time_of_day_that_is_given_to_it(self) -> None:
        due = read(calendar("UID:1", "DUE;VALUE=DATE:20260601")).due
        assert isinstance(due, AllDay)
        assert due.with_time_of(at(2026, 1, 1, 14, 30)) == at(2026, 6, 1, 13, 30)
        assert not isinstance(read(calendar("UID:1", "DUE:20260601T070000Z")).due, AllDay)


class TestStatus:
    """STATUS, COMPLETED and PERCENT-COMPLETE."""

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
            (["STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:100"], "planned"),
        ],
    )
    def test_every_form_of_status(self, lines: list[str], status: str) -> None:
        assert read(calendar("UID:1", *lines)).status == status

    def test_the_moment_of_completion_is_carried(self) -> None:
        moment = at(2026, 5, 4, 3, 2, 1)
        data = put(stored("undo"), {"status": "done", "occurred_at": moment})
        assert "COMPLETED:20260504T030201Z" in lines_of(data)
        assert read(data).completed == moment
        assert read(put(data, {"status": "planned", "occurred_at": None})).completed is None
        local = calendar("UID:1", "COMPLETED;TZID=Asia/Tokyo:20260504T030201")
        assert read(local).completed == at(2026, 5, 3, 18, 2, 1)

    def test_a_status_invents_no_moment(self) -> None:
        assert read(put(stored("undo"), {"status": "done"})).completed is None

    def test_progress_stays_unless_it_says_done(self) -> None:
        canceled = put(stored("undo"), {"status": "canceled"})
        assert "PERCENT-COMPLETE:40" in lines_of(canceled)
        done = put(canceled, {"status": "done"})
        assert "PERCENT-COMPLETE:100" in lines_of(done)
        assert "PERCENT" not in put(done, {"status": "planned"}).decode()

    @pytest.mark.parametrize("name", ["undo", "cancelled", "duration-clear", "alarm-start-only"])
    def test_an_undone_deletion_leaves_the_object_as_it_was(self, name: str) -> None:
        data = stored(name)
        deleted = edited(data, TodoText(data, BERLIN).deleting(), NOW)
        assert (read(deleted).deleted, read(deleted).status) == (True, "canceled")
        back = edited(deleted, TodoText(deleted, BERLIN).undeleting(), NOW)
        stamps = ("SEQUENCE", "DTSTAMP", "LAST-MODIFIED")
        assert [line for line in lines_of(back) if not line.startswith(stamps)] == [
            line for line in lines_of(data) if not line.startswith(stamps)
        ]

    def test_a_status_changed_after_the_deletion_is_not_undone(self) -> None:
        data = stored("undo")
        deleted = edited(data, TodoText(data, BERLIN).deleting(), NOW)
        reopened = deleted.replace(b"STATUS:CANCELLED", b"STATUS:COMPLETED")
        back = edited(reopened, TodoText(reopened, BERLIN).undeleting(), NOW)
        assert read(back).status == "done"


def test_the_marker_is_known_by_uid_or_property() -> None:
    assert read(calendar(f"UID:m-1{UID_SUFFIX}")).marker == "m-1"
    assert read(calendar("UID:other", f"{MARKER}:m-1")).marker == "m-1"
    assert read(calendar("UID:other")).marker is None
    assert read(calendar("UID:other", f"{MARKER}:\x00")).marker is None
