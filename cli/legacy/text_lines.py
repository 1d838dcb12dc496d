"""Lines of a file of unknown encoding as text, compressed or not."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from cli.legacy.decoding import decode, without_nul

#: Longest line, and longest value. A missing quote never reads a whole file into memory.
LONGEST: Final = 16 << 20
#: Byte order marks of UTF-16.
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
#: Raised when a file cannot be read, or is damaged.
UNREADABLE: Final = (OSError, EOFError, zlib.error)
_BLOCK: Final = 1 << 20
_DELIMITERS: Final = ",;\t"


class TextLines(Iterator[str]):
    """Lines of a file as text.

    :ivar number: number of the last line; ``repaired`` and ``nul``: since the beginning of the record.
    """

    def __init__(self, path: Path) -> None:
        self.number = 0
        self.repaired = self.nul = False
        self._line_repaired = self._line_nul = False
        self._lines = self._read(path)
        self._record: list[tuple[str, bool, bool]] = []
        self._returned: list[tuple[str, bool, bool]] = []

    def __next__(self) -> str:
        if self._returned:
            line = self._returned.pop()
        else:
            self._line_repaired = self._line_nul = False
            line = next(self._lines), self._line_repaired, self._line_nul
        self.number += 1
        self._record.append(line)
        text, repaired, nul = line
        self.repaired |= repaired
        self.nul |= nul
        return text

    def begin_record(self) -> None:
        """Note that the next line is the first one of a record."""
        self._record.clear()
        self.repaired = self.nul = False

    def return_all_but_first(self) -> None:
        """Read the lines of this record a second time, without the first: it is what is broken."""
        others = self._record[1:]
        self._returned += reversed(others)
        self.number -= len(others)

    def _read(self, path: Path) -> Iterator[str]:
        with open_file(path) as file:
            start = file.read(3)
            if start[:2] in UTF_16:
                file.seek(0)
                with io.TextIOWrapper(file, "utf-16", errors="replace", newline="") as texts:
                    while line := texts.readline(LONGEST):
                        yield self._clean(line)
                return
            file.seek(3 if start == b"\xef\xbb\xbf" else 0)
            while raw := file.readline(LONGEST):
                text, self._line_repaired = decode(raw)
                yield self._clean(text)

    def _clean(self, text: str) -> str:
        text, self._line_nul = without_nul(text)
        return text


def open_file(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb", _BLOCK)


def delimiter_of(path: Path) -> str:
    """The delimiter that the header line has most of."""
    try:
        header = next(TextLines(path), "")
    except UNREADABLE:
        return ","
    return max(_DELIMITERS, key=header.count)
