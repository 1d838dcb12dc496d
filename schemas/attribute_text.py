"""Texts of CloudEvents attributes (CloudEvents 1.0.2 section 3.1, "String")."""

from __future__ import annotations

import re
from typing import Final

MOST_CHARACTERS: Final = 200
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


def attribute_text(text: str) -> str:
    """The text as it is.

    :raises ValueError: too long, a control character, or white space at either end.
    """
    if len(text) > MOST_CHARACTERS or _CONTROL.search(text) or text != text.strip():
        raise ValueError(
            f"must be a text of at most {MOST_CHARACTERS} characters, without control characters and"
            " without white space at either end"
        )
    return text
