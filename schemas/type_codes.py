"""Codes of interaction types: normalise user input to an identifier (Unicode Standard Annex #31)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

MAX_CHARACTERS: Final = 100
_VIRAMA: Final = 9
_JOINERS: Final = "\u200c\u200d"
#: Lower-casing a Turkish capital İ gives an i followed by a combining dot.
_DOTTED_I: Final = re.compile("i\u0307+")
_MINUS: Final = "\u2212"
#: Invisible characters (Default_Ignorable_Code_Point) other than the two joiners.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


@lru_cache(maxsize=4096)
def normalize_interaction_type(text: str) -> str:
    """Normalise the name of an interaction type to its dictionary code.

    The code is NFKC-normalised and in lower case, with runs of white space, dashes and underscores replaced
    by one underscore: ``" Follow-up  Call"`` → ``follow_up_call``. Letters keep their combining marks, so
    that all scripts are supported. Invisible characters are dropped, except joiners where a script needs
    them. The dot of a Turkish capital İ is dropped: İletişim and iletişim are the same type.

    :raises ValueError: the result is empty, too long, or has characters other than letters, marks, digits
        and ``_ . :``.
    """
    plain = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).lower()
    code = _DOTTED_I.sub("i", "".join(_letters(plain)))
    code = unicodedata.normalize("NFKC", code).strip("_")
    if not code or not _is_identifier(code):
        raise ValueError(
            "must consist of letters, digits, spaces or _ . : -, and start with a letter or digit"
        )
    if len(code) > MAX_CHARACTERS:
        raise ValueError(f"is longer than {MAX_CHARACTERS} characters after normalisation")
    return code


def _letters(text: str) -> list[str]:
    """Replace runs of separators by one underscore, and drop joiners that have no effect."""
    kept: list[str] = []
    for at, character in enumerate(text):
        if character in _JOINERS:
            if _joins(text, at):
                kept.append(character)
        elif not _separates(character):
            kept.append(character)
        elif not kept or kept[-1] != "_":
            kept.append("_")
    return kept


def _separates(character: str) -> bool:
    return character.isspace() or character == _MINUS or unicodedata.category(character) in ("Pd", "Pc")


def _joins(text: str, at: int) -> bool:
    """Check contexts A1, A2 and B of UAX #31: after a virama, or (non-joiner) between Arabic letters."""
    before = at - 1
    if at and unicodedata.combining(text[before]) == _VIRAMA:
        return True
    while before > 0 and unicodedata.combining(text[before]):
        before -= 1
    return (
        text[at] == _JOINERS[0]
        and at > 0
        and at + 1 < len(text)
        and unicodedata.bidirectional(text[before]) == unicodedata.bidirectional(text[at + 1]) == "AL"
    )


def _is_identifier(code: str) -> bool:
    return code[0].isalnum() and all(
        character.isalnum()
        or character in "_.:"
        or character in _JOINERS
        or unicodedata.category(character) in ("Mn", "Mc")
        for character in code
    )
