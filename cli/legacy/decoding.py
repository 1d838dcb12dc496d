"""Decode bytes of unknown origin: UTF-8, with each byte that is not UTF-8 read as Windows-1252."""

from __future__ import annotations

import codecs
from typing import Final

_WINDOWS_1252: Final = "interactions-windows-1252"
_NUL: Final = "\x00"


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read undecodable bytes as Windows-1252; a byte that it does not define becomes U+FFFD."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_WINDOWS_1252, _as_windows_1252)


def decode(raw: bytes) -> tuple[str, bool]:
    """Decode a line.

    Only the bytes that are not UTF-8 are read as Windows-1252, so a row that has both stays readable.

    :returns: the text, and whether it was repaired.
    """
    try:
        return raw.decode(), False
    except UnicodeDecodeError:
        return raw.decode("utf-8", _WINDOWS_1252), True


def without_nul(text: str) -> tuple[str, bool]:
    """Remove NUL characters, which Postgres cannot store; report whether there were any."""
    return (text.replace(_NUL, ""), True) if _NUL in text else (text, False)
