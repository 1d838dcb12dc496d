"""Clean customer text: no control, bidirectional or invisible characters, and a maximum length."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Joiners of emojis and of scripts such as Persian, and variation selectors of emojis.
_JOINERS: Final = "\u200c\u200d\ufe0e\ufe0f"
#: Invisible characters that are letters, marks or symbols to Unicode: fillers, blanks, variation selectors.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0d\uffa0\ufff0-\uffff"
    "\U000e0000-\U000e0fff]"
)
#: Control, format (bidirectional controls, tags), surrogate and private-use characters.
_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co"})
_LINE_ENDS: Final = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
#: Joiners in a row; the first variation selector and the joiner after it are kept.
_JOINER_RUNS: Final = re.compile(f"(?=[{_JOINERS}])([\ufe0e\ufe0f]?[\u200c\u200d]?)[{_JOINERS}]*")
_EMPTY_LINES: Final = re.compile("\n{3,}")


def visible(text: str) -> str:
    """Remove control, bidirectional and invisible characters; line ends become line feeds, tabs spaces.

    Hazard: a language model reads characters that people do not see, such as tags (U+E0000), and a
    bidirectional control shows a text in another order than it is stored in.
    """
    text = _LINE_ENDS.sub("\n", text).replace("\t", " ")
    if not text.replace("\n", "").isprintable():
        text = "".join(
            character
            for character in text
            if character == "\n"
            or character in _JOINERS
            or unicodedata.category(character) not in _CATEGORIES
        )
    return unicodedata.normalize("NFC", _JOINER_RUNS.sub(r"\1", _INVISIBLE.sub("", text)))


def is_blank(text: str) -> bool:
    """Report whether a text has no letter, digit, punctuation or symbol that is visible."""
    return not visible(text).translate(dict.fromkeys(map(ord, _JOINERS))).strip()


def one_line(text: str | None, limit: int) -> str:
    """Clean and shorten a text to one line; ``""`` if it is blank."""
    if text is None or is_blank(text):
        return ""
    return shorten(" ".join(visible(text).split()), limit)


def lines(text: str | None, limit: int) -> str:
    """Clean and shorten a text, and keep its lines; ``""`` if it is blank."""
    if text is None or is_blank(text):
        return ""
    stripped = "\n".join(" ".join(line.split()) for line in visible(text).split("\n"))
    return shorten(_EMPTY_LINES.sub("\n\n", stripped).strip(), limit)


def shorten(text: str, limit: int, ellipsis: str = "…") -> str:
    """Shorten a text to at most ``limit`` characters, at a word boundary, and add an ellipsis.

    A text without a boundary in its second half is cut between two characters, but never inside an emoji or
    between a letter and its accents.
    """
    if len(text) <= limit:
        return text
    end = limit - len(ellipsis)
    boundary = max(text.rfind(space, 0, end + 1) for space in " \n")
    end = boundary if boundary > end // 2 else _between_characters(text, end)
    return text[:end].rstrip(" \n,;:.–-") + ellipsis


def _between_characters(text: str, end: int) -> int:
    while end > 0 and (_extends(text[end]) or text[end - 1] == "\u200d"):
        end -= 1
    return end


def _extends(character: str) -> bool:
    return (
        character in _JOINERS
        or unicodedata.category(character).startswith("M")
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
    )
