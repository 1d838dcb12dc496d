"""Texts, numbers and dates in the viewer's language: gettext catalogues read by Babel."""

from __future__ import annotations

import gettext
import re
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

#: Languages with a complete catalogue; the first is the default.
LANGUAGES: Final = ("en", "de")
PREFIX: Final = "customers.interactions."
_NAMED: Final = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q=([0-9.]+))?\s*")


class Language:
    """One language. Get it from :func:`language_of`.

    :ivar code: of the HTML attribute ``lang``.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.name = Locale.parse(code).get_display_name(code) or code
        self._locale = Locale.parse(code)
        self._catalogue = _catalogue(code)

    def text(self, key: str, n: int | None = None, **values: Any) -> str:
        """The text of a key, without its prefix.

        :param n: number that decides singular or plural, also the value ``{n}``.
        :raises KeyError: the catalogue does not have it.
        """
        name = PREFIX + key
        found = self._catalogue.gettext(name) if n is None else self._catalogue.ngettext(name, name, n)
        if found == name:
            raise KeyError(name)
        values = {**values, "n": n} if n is not None else values
        return found.format(**{k: self.number(v) if _is_number(v) else v for k, v in values.items()})

    def has(self, key: str) -> bool:
        """Report whether the catalogue has a text."""
        return self._catalogue.gettext(PREFIX + key) != PREFIX + key

    def number(self, value: float) -> str:
        """A number with the separators of the language."""
        return format_decimal(value, locale=self._locale)

    def date(self, moment: datetime, zone: ZoneInfo) -> str:
        """Weekday, day and month."""
        return format_date(
            _local(moment, zone), "EEE d MMM y" if self.code == "en" else "EEE, d. MMM y", self._locale
        )

    def time(self, moment: datetime, zone: ZoneInfo) -> str:
        """Hours and minutes."""
        return format_time(moment, "HH:mm", tzinfo=zone, locale=self._locale)

    def moment(self, moment: datetime, zone: ZoneInfo) -> str:
        """Date and time of day."""
        return f"{self.date(moment, zone)}, {self.time(moment, zone)}"

    def exact(self, moment: datetime, zone: ZoneInfo) -> str:
        """Date, time with seconds, and zone: for titles and machines' readers."""
        return format_datetime(moment, "yyyy-MM-dd HH:mm:ss z", tzinfo=zone, locale=self._locale)


@cache
def language_of(code: str) -> Language:
    """The language with this code, one of ``LANGUAGES``."""
    return Language(code)


def preferred(chosen: str | None, accepted: str) -> Language:
    """The viewer's language: the chosen one, otherwise the best of the browser's.

    :param accepted: the header ``Accept-Language``.
    """
    if chosen in LANGUAGES:
        return language_of(chosen)
    wanted: list[tuple[float, int, str]] = []
    for position, part in enumerate(accepted.split(",")[:20]):
        match = _NAMED.fullmatch(part)
        if match and match[1].lower() in LANGUAGES:
            try:
                wanted.append((-float(match[2] or 1), position, match[1].lower()))
            except ValueError:
                continue
    return language_of(min(wanted)[2] if wanted else LANGUAGES[0])


def _catalogue(code: str) -> gettext.GNUTranslations:
    # Compiled here, so that the repository holds texts only.
    with (files("web") / "locale" / code / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _local(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
