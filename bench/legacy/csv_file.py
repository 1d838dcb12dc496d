"""One CSV file of an export, row by row, in UTF-8 or, for single rows, in Windows-1252."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class CsvFile:
    """Writes a header line and rows; ``None`` becomes an empty field.

    :ivar rows: rows written, without the header.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = path.open("wb", buffering=1024 * 1024)
        self._encoding = "utf-8"
        self._writer = csv.writer(self, lineterminator="\n")
        self.rows = 0
        self._writer.writerow(columns)

    def write(self, line: str) -> int:
        """Encode one line; called by the CSV writer, once per row."""
        return self._file.write(line.encode(self._encoding))

    def add(self, row: Sequence[Any], *, encoding: str = "utf-8") -> None:
        """Write one row."""
        self._encoding = encoding
        self._writer.writerow(row)
        self.rows += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
