"""Code of an interaction type, reimplemented from the contract's text (Unicode Standard Annex #31)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from unicodedata import bidirectional, category, combining, normalize

_LONGEST: Final = 100
_NON_JOINER, _JOINER = "\u200c", "\u200d"
#: Default_Ignorable_Code_Point without the two joiners, as ranges of code points.
_IGNORED: Final = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200B), (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip


@lru_cache(maxsize=4096)
def type_code(text: str) -> str | None:
    """Normalize an interaction type as typed by a person to its dictionary code; ``None`` if invalid."""
    shown = "".join(sign for sign in text if not any(low <= ord(sign) <= high for low, high in _IGNORED))
    lower = "".join(_joined(normalize("NFKC", shown).lower()))
    words = "".join("_" if _is_gap(sign) else sign for sign in lower)
    code = normalize("NFKC", re.sub("i\u0307+", "i", re.sub("_+", "_", words))).strip("_")
    if not 0 < len(code) <= _LONGEST or not code[0].isalnum():
        return None
    return code if all(_may_follow(sign) for sign in code) else None


def _joined(text: str) -> Iterator[str]:
    """Drop joiners outside the contexts in which a script needs them."""
    base = before = ""
    for sign, after in zip(text, f"{text[1:]} ", strict=False):
        if sign in (_NON_JOINER, _JOINER):
            arabic = bool(base) and bidirectional(base) == bidirectional(after) == "AL"
            if (arabic and sign == _NON_JOINER) or (before and combining(before) == 9):
                yield sign
        else:
            yield sign
        before = sign
        if not combining(sign):
            base = sign


def _is_gap(sign: str) -> bool:
    return sign.isspace() or sign == "\u2212" or category(sign) in {"Pd", "Pc"}


def _may_follow(sign: str) -> bool:
    return sign.isalnum() or sign in {"_", ".", ":", _NON_JOINER, _JOINER} or category(sign) in {"Mn", "Mc"}
