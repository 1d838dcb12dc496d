"""Hypothesis strategies for to-dos as clients write them, with the expected values.

They vary the order of properties, folds at any octet, line ends, repeated and broken properties, time zones
with and without a definition, and alarms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from connectors.providers.caldav.ics.date_times import Days

DAYS: Final = Days(ZoneInfo("Europe/Berlin"), time(9))
#: A zone's name may be a known one, or be defined differently in each object.
NAMES: Final = ("Customized Time Zone", "America/New_York", "/freeassociation.sourceforge.net/Zone")
BROKEN: Final = (
    "CREATED:00001231T000000Z",
    "LAST-MODIFIED:yesterday",
    "DTSTAMP:00000000T000000Z",
    "PERCENT-COMPLETE:half",
    "GEO:north",
    'X-QUOTE;X-A="never closed:text',
    "X-EMPTY:",
    "no colon at all",
    "URL:http://a.example/ü?b=c;d",
    "ATTACH;ENCODING=BASE64;VALUE=BINARY:%%%",
    "SEQUENCE:many",
)
ALARM: Final = (
    "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER{}\nDESCRIPTION:alarm\nSUMMARY:alarm\nX-DUE:never\nEND:VALARM"
)
_TRIGGERS: Final = (":-PT15M", ";RELATED=START:-PT5M", ":P1D")
_WORDS: Final = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60)


@dataclass(frozen=True)
class TodoCase:
    """One object.

    :param values: expected values by field; an unreadable field is absent.
    """

    data: bytes
    values: Mapping[str, Any]


@dataclass(frozen=True)
class _Due:
    lines: tuple[str, ...]
    instant: datetime | None
    readable: bool = True
    zone: str = ""


def _escaped(text: str) -> str:
    for sign in ("\\", ";", ","):
        text = text.replace(sign, f"\\{sign}")
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())


@st.composite
def _dues(draw: Callable[[Any], Any]) -> _Due:
    wall = datetime.fromtimestamp(draw(st.integers(10**5, 2 * 10**9)), UTC).replace(tzinfo=None)
    written = f"{wall:%Y%m%dT%H%M%S}"
    day = datetime.combine(wall.date(), DAYS.at, DAYS.zone).astimezone(UTC)
    local = wall.replace(tzinfo=DAYS.zone).astimezone(UTC)
    name, offset = draw(st.sampled_from(NAMES)), draw(st.integers(-23, 23))
    own = wall.replace(tzinfo=timezone(timedelta(hours=offset / 2))).astimezone(UTC)
    sign, minutes = "-" if offset < 0 else "+", abs(offset) * 30
    moved = f"TZOFFSETFROM:{sign}{minutes // 60:02}{minutes % 60:02}"
    zone = (
        f"BEGIN:VTIMEZONE\nTZID:{name}\nX-LIC-LOCATION:Mars\nBEGIN:STANDARD\nDTSTART:16010101T000000\n{moved}\n"
        f"{moved.replace('FROM', 'TO')}\nEND:STANDARD\nEND:VTIMEZONE"
    )
    start = f"{wall - timedelta(hours=2):%Y%m%dT%H%M%S}"
    return draw(  # type: ignore[no-any-return]
        st.sampled_from(
            [
                _Due((), None),
                _Due((f"DTSTART:{written}Z",), None),
                _Due((f"DUE:{written}Z",), wall.replace(tzinfo=UTC)),
                _Due((f"DTSTART:{start}Z", f"DUE:{written}Z"), wall.replace(tzinfo=UTC)),
                _Due((f"DTSTART:{start}Z", "DURATION:PT2H"), wall.replace(tzinfo=UTC)),
                _Due((f"DUE:{written}",), local),
                _Due((f"DUE;TZID=Nowhere:{written}",), local),
                _Due((f"DUE;TZID={DAYS.zone.key}:{written}",), local),
                _Due((f"DUE;TZID=Nowhere:{written}Z",), wall.replace(tzinfo=UTC)),
                _Due((f"DUE;VALUE=DATE:{wall:%Y%m%d}",), day),
                _Due((f"DTSTART;VALUE=DATE:{wall:%Y%m%d}", f"DUE;VALUE=DATE:{wall:%Y%m%d}"), day),
                _Due((f'DUE;TZID="{name}":{written}',), own, zone=zone),
                _Due((f"DTSTART;TZID={name}:{start}", f"DUE;TZID={name}:{written}"), own, zone=zone),
                _Due(("DUE:soon",), None, readable=False),
                _Due((f"DUE:2{written}Z",), None, readable=False),
                _Due(("DUE:29991231T000000Z",), None, readable=False),
                _Due((f"DTSTART:{written}Z", "DURATION:P"), wall.replace(tzinfo=UTC)),
            ]
        )
    )


@st.composite
def todo_cases(draw: Callable[[Any], Any], *, lawful: bool = False) -> TodoCase:
    """An object with one to-do.

    :param lawful: generate only what a strict server accepts.
    """
    due = draw(_dues().filter(lambda found: found.readable or not lawful))
    title, body = _one_line(draw(_WORDS)), _one_line(draw(_WORDS))
    status, written = draw(
        st.sampled_from(
            [("planned", ()), ("planned", ("STATUS:IN-PROCESS",)), ("done", ("STATUS:COMPLETED",)),
             ("canceled", ("status:cancelled",)), ("planned", ("STATUS:X-ODD",))]
        )
    )  # fmt: skip
    level, priority = draw(
        st.sampled_from([(None, ()), (None, ("PRIORITY:0",)), (3, ("PRIORITY:3",)), (9, ("PRIORITY:12",)),
                         (None, ()) if lawful else (0, ("PRIORITY:high",))])
    )  # fmt: skip
    properties = ["X-CUSTOMER-INTERACTION:m-1", *due.lines, *written, *priority]
    properties += [f"SUMMARY;LANGUAGE=de:{_escaped(title)}"] if title else []
    properties += [f"DESCRIPTION:{_escaped(body)}"] if body else []
    properties += [] if lawful else draw(st.lists(st.sampled_from(BROKEN), max_size=3, unique=True))
    properties = draw(st.permutations(properties))
    repeated = [] if lawful else draw(st.lists(st.sampled_from(properties), max_size=2))
    properties = [*properties, *(line.partition(":")[0] + ":repeated" for line in repeated)]
    triggers = draw(st.lists(st.sampled_from(_TRIGGERS), max_size=2))
    alarms = [ALARM.format(trigger) for trigger in triggers]
    lines = ["VERSION:2.0", "PRODID:-//x//EN"]
    todo = "\n".join(["BEGIN:VTODO", "UID:u", *properties, *alarms, "END:VTODO"])
    inner = draw(st.permutations([each for each in (due.zone, todo) if each]))
    whole = "\n".join(["BEGIN:VCALENDAR", *lines, *inner, "END:VCALENDAR"]).split("\n")
    values = {"title": title, "body": body, "status": status, "due": due.instant, "priority": level}
    if not due.readable:
        values.pop("due")
    if "PRIORITY:high" in priority:
        values.pop("priority")
    end = draw(st.sampled_from([b"\r\n", b"\n"]))
    folded = [draw(_folds(line.encode(), end, lawful)) for line in whole]
    return TodoCase(end.join(folded) + end, values)


@st.composite
def _folds(draw: Callable[[Any], Any], line: bytes, end: bytes, lawful: bool) -> bytes:
    """Fold a line at any octets, even inside a character."""
    places = [place for place in range(1, len(line)) if not lawful or line[place] & 0xC0 != 0x80]
    if not places:
        return line
    cuts = sorted(draw(st.sets(st.sampled_from(places), max_size=2)))
    pieces = [line[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(line)], strict=True)]
    space: bytes = draw(st.sampled_from([b" ", b"\t"]))
    return (end + space).join(pieces)


@st.composite
def damaged(draw: Callable[[Any], Any]) -> bytes:
    """Damage an object: drop, double or replace a few octets or lines."""
    data: bytes = draw(todo_cases()).data
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 30)))
        new = draw(
            st.sampled_from([b"", data[start:stop] * 2, b"\n", b"\r", b"\x00", b"\xff", b'"', b":", b"\n "])
        )
        data = data[:start] + new + data[stop:]
    return data
