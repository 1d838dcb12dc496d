"""Time zones: defined by objects, and known by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.providers.caldav.ics.content_lines import content_lines
from connectors.providers.caldav.ics.vtimezone import ObjectZone
from connectors.providers.caldav.ics.zones import Zones, named_zone

BERLIN: Final = ZoneInfo("Europe/Berlin")
#: As written by Outlook.
RULES: Final = """BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
"""


def zone(text: str) -> ObjectZone:
    return ObjectZone(content_lines(text.encode()))


@given(st.integers(852_076_800, 2_145_916_800))  # 1997 to 2037
def test_yearly_rules_are_those_of_the_known_zone(seconds: int) -> None:
    instant, own = datetime.fromtimestamp(seconds, UTC), zone(RULES)
    assert instant.astimezone(own).replace(tzinfo=None) == instant.astimezone(BERLIN).replace(tzinfo=None)
    wall = instant.replace(tzinfo=None)
    assert wall.replace(tzinfo=own).astimezone(UTC) == wall.replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("rule", "day"),
    [
        ("BYMONTH=3;BYDAY=2SU", 8),
        ("BYMONTH=3;BYMONTHDAY=8,9,10,11,12,13,14;BYDAY=SU", 8),
        ("BYMONTH=3;BYMONTHDAY=-1", 31),
        ("BYMONTH=3;BYDAY=1MO;WKST=SU;UNTIL=20261231T000000Z", 2),
    ],
)
def test_the_day_on_which_clocks_change(rule: str, day: int) -> None:
    own = zone(RULES.replace("BYDAY=-1SU;BYMONTH=3", rule))
    evening = datetime(2026, 3, day, 20)  # noqa: DTZ001 - local time
    assert own.utcoffset(evening) == timedelta(hours=2)
    assert own.utcoffset(evening - timedelta(days=1)) == timedelta(hours=1)


def test_dates_instead_of_a_rule() -> None:
    rdate = RULES.replace("RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3", "RDATE:20260329T020000")
    summer = datetime(2026, 7, 1, 12)  # noqa: DTZ001 - local time
    assert zone(rdate).utcoffset(summer) == timedelta(hours=2)
    assert zone(rdate).utcoffset(summer.replace(year=2025)) == timedelta(hours=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        RULES.replace("FREQ=YEARLY", "FREQ=SECONDLY"),
        RULES.replace("INTERVAL=1", "INTERVAL=0"),
        RULES.replace("BYMONTH=3", "BYMONTH=13"),
        RULES.replace("BYMONTH=3", "BYHOUR=1"),
        RULES.replace("BYDAY=-1SU", "BYDAY=+SU"),
        RULES.replace("TZOFFSETTO:+0100", "TZOFFSETTO:+2400"),
        RULES.replace("TZOFFSETTO:+0100", "TZOFFSETTO:1"),
        RULES.replace("DTSTART:16010101T020000", "DTSTART:00000101T020000"),
        RULES.replace("DTSTART", "X-START"),
    ],
)
def test_a_definition_that_cannot_be_evaluated_counts_as_absent(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        zone(text)
    lines = content_lines(f"BEGIN:VTIMEZONE\nTZID:Asia/Tokyo\n{text}END:VTIMEZONE\n".encode())
    assert Zones(lines, BERLIN).named("Asia/Tokyo") == ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Tzfile/Europe/Berlin", "Europe/Berlin"),
        ("/citadel.org/20210210_1/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("example.org/Europe/Berlin", None),
        ("Europe", None),
        ("../../etc/localtime", None),
        ("a\x00b", None),
        ("x" * 10_000, None),
        ("", None),
    ],
)
def test_names_that_are_known(name: str, known: str | None) -> None:
    found = named_zone(name)
    assert getattr(found, "key", None) == known


@pytest.mark.parametrize("written", ["+0900", "0900", "+09:00", "+090000", "+09:00:00"])
def test_an_offset_in_every_form_that_clients_write(written: str) -> None:
    text = RULES.partition("BEGIN:DAYLIGHT")[0].replace("+0100", written).replace("+0200", written)
    assert zone(text).utcoffset(datetime(2026, 7, 2)) == timedelta(hours=9)  # noqa: DTZ001 - local time


@pytest.mark.parametrize("written", ["", "9", "+9", "+2400", "Z", "+٠٩٠٠"])
def test_a_zone_with_an_offset_that_is_none_is_not_used(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - one of several
        zone(RULES.replace("+0100", written))
