"""Values of columns: ids, texts, dates, colours and types, clean ones and ones of each kind of dirt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

_SUBJECTS: Final = (
    "Call about the offer",
    "Send the contract",
    "Discuss delivery dates",
    "Ask for feedback, and note it",
    'Agree on the "fair" price',
    "Prepare the workshop",
    "Confirm the visit",
    "Renew the licence",
)
_SENTENCES: Final = (
    "The customer wants to decide next week.",
    "Asked for a second quote, with 2 % discount.",
    "Left a message.\nWill call back.",
    'Their words: "as soon as possible".',
    "Needs the figures in € and in Kč – žluťoučký kůň.",
    "見積もりを送ること。",
)
# Each has bytes in Windows-1252 that are no UTF-8.
_ACCENTED: Final = ("Rückruf wegen Angebot", "Café – déjà vu", "Preis: 50 € für Größe 7", "“Añadir” señal")

_TYPES: Final = ("call", "email", "meeting", "note", "site_visit", "demo")
_DIRTY_TYPES: Final = {
    "type_call_email": ("Call / Email",),
    "type_unknown": ("Fax", "WhatsApp chat", "Besuch (vor Ort)", "Telefonat/Rückruf", "E-Mail & Post"),
    "type_mixed_case": ("Call", "EMAIL", "Meeting", "Site visit"),
    "type_too_long": ("Call about an open question of the customer " * 4,),
    "type_without_letters": ("???", "///", "*"),
}
_COLORS: Final = ("#2563EB", "#0891B2", "#7C3AED", "#D97706")
_ODD_COLORS: Final = ("2563EB", "#abc", "#2563EBFF", "D97")
_BAD_COLORS: Final = ("reddish", "rgb(1, 2, 3)", "#12", "var(--accent)")
_ICONS: Final = ("phone", "mail", "users", "lucide:calendar-check")

_FIRST: Final = datetime(2015, 1, 1, tzinfo=UTC)
_SECONDS: Final = 11 * 365 * 86_400
_DATES: Final = {
    "null": ("",),
    "future": ("2089-05-17 08:30:00+00",),
    "year_1": ("0001-01-01 00:00:00+00",),
    "year_9999": ("9999-12-31 23:59:59+00",),
    "infinity": ("infinity", "-infinity"),
    "invalid": ("0000-00-00 00:00:00", "2021-02-30 10:00:00+00", "yesterday"),
}


def new_id(random: Random) -> str:
    """A random UUID of version 4."""
    digits = f"{random.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def broken_id(random: Random) -> str:
    """A text that is not a UUID."""
    identity = new_id(random)
    number = str(random.getrandbits(31))
    return pick(random, (identity[:-1], f"{identity}0", f"g{identity[1:]}", number, "#REF!"))


def pick(random: Random, values: tuple[str, ...]) -> str:
    """One of the values."""
    return values[int(random.random() * len(values))]


def title(random: Random, kind: str, row_kind: str) -> str:
    """A title of a kind of ``TITLE``, in a row of a kind of ``ROW``."""
    if kind == "title_null":
        return ""
    text = f"{pick(random, _ACCENTED if row_kind == 'cp1252' else _SUBJECTS)} {random.getrandbits(20)}"
    return text if not kind else f"{text} {'and so on, ' * random.randint(50, 200)}"


def body(random: Random, kind: str, row_kind: str) -> str:
    """A body or description; one with a NUL character has at least one other."""
    text = pick(random, _ACCENTED if row_kind == "cp1252" else _SENTENCES)
    if row_kind == "nul":
        return f"{text}\x00"
    if kind.endswith("_null"):
        return ""
    return f"{text} {'All of this was said before. ' * random.randint(400, 700)}" if kind else text


def interaction_type(random: Random, kind: str) -> str:
    """A type of a kind of ``TYPE``."""
    return pick(random, _DIRTY_TYPES[kind] if kind else _TYPES)


def color(random: Random, kind: str) -> str:
    """A colour of a kind of ``COLOR``."""
    if kind == "color_null":
        return ""
    return pick(random, _ODD_COLORS if kind == "color_odd_form" else _BAD_COLORS if kind else _COLORS)


def icon(random: Random, kind: str) -> str:
    """An icon of a kind of ``ICON``."""
    if kind == "icon_null":
        return ""
    return "data:image/svg+xml;base64," + "QUJD" * 40 if kind else pick(random, _ICONS)


def instant(random: Random) -> datetime:
    """A moment of the years in which the installation was used."""
    return _FIRST + timedelta(seconds=int(random.random() * _SECONDS))


def later(random: Random, moment: datetime, days: int) -> datetime:
    """A moment within some days after another one."""
    return moment + timedelta(seconds=int(random.random() * days * 86_400))


def bad_date(random: Random, kind: str) -> str:
    """A date that is absent or of no use; the kind ends with one of the names above."""
    return pick(random, _DATES[kind.partition("_at_")[2]])
