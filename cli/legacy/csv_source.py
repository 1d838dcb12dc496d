"""A directory of CSV files, one per table, each optionally compressed with gzip."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

from cli.legacy.ciphertext import CIPHERTEXT_END, CIPHERTEXT_END_BYTES, is_ciphertext
from cli.legacy.source import REQUIRED, BrokenRow, SourceRow
from cli.legacy.text_lines import LONGEST, UNREADABLE, UTF_16, TextLines, delimiter_of, open_file
from schemas.errors import Stop

_BLOCK: Final = 1 << 20
_NULLS: Final = frozenset({"", "\\N"})


class CsvSource:
    """Files named after the tables, with a header line that names the columns in any order.

    :raises Stop: the directory cannot be read, or a table has two files.
    """

    ignored: tuple[str, ...]

    def __init__(self, directory: Path) -> None:
        self.name = str(directory)
        try:
            files = sorted(path for path in directory.iterdir() if path.is_file())
        except OSError as error:
            raise Stop(
                f"Cannot read the directory {directory}: {error.strerror}. Nothing was imported.",
            ) from None
        names = {path: path.name.removesuffix(".gz").removesuffix(".csv") for path in files}
        found = [path for path in files if names[path] in REQUIRED and ".csv" in path.suffixes]
        self.ignored = tuple(path.name for path in files if path not in found)
        self._files = {names[path]: path for path in found}
        if len(self._files) < len(found):
            raise Stop(
                f"A table has two files in {directory}: {', '.join(path.name for path in found)}."
                " Nothing was imported. Remove one of each pair.",
            )

    @cached_property
    def tables(self) -> dict[str, tuple[str, ...]]:
        """Columns of each table that has a file.

        :raises Stop: a header line cannot be read.
        """
        return {table: self._header(self._files[table]) for table in REQUIRED if table in self._files}

    def rows(self, table: str) -> Iterator[SourceRow | BrokenRow]:
        """All rows of a file. A line that is not CSV is a broken row, and reading goes on after it.

        A quote that is not closed would take the following rows into its value: only its own line is broken.
        """
        path = self._files[table]
        columns = self.tables[table]
        lines = TextLines(path)
        reader = csv.reader(lines, delimiter=delimiter_of(path), strict=True)
        csv.field_size_limit(LONGEST)
        header = True
        while True:
            # The first line of a record: a record can have line breaks.
            place = f"{path.name}:{lines.number + 1}"
            lines.begin_record()
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error:
                lines.return_all_but_first()
                yield BrokenRow(place, "not readable as CSV")
                continue
            except UNREADABLE:
                yield BrokenRow(place, "the file ends here: it is damaged")
                return
            if header:
                header = False
            elif len(values) == len(columns):
                row = {
                    name: None if value in _NULLS else value
                    for name, value in zip(columns, values, strict=True)
                }
                yield SourceRow(row, place, lines.repaired, lines.nul)
            elif values:
                lines.return_all_but_first()
                yield BrokenRow(place, f"has {len(values)} values for {len(columns)} columns")

    def find_ciphertext(self) -> str | None:
        """Name the file, line and column of the first encrypted value."""
        for table in self.tables:
            if not self._may_have_ciphertext(self._files[table]):
                continue
            for row in self.rows(table):
                if isinstance(row, SourceRow):
                    for column, value in row.values.items():
                        if value is not None and is_ciphertext(value):
                            return f"{table}.{column} ({row.place})"
        return None

    def _may_have_ciphertext(self, path: Path) -> bool:
        """Search the bytes: a tenth of the cost of reading rows."""
        try:
            with open_file(path) as file:
                rest = b""
                if file.read(2) in UTF_16:
                    return True
                file.seek(0)
                while block := file.read(_BLOCK):
                    if CIPHERTEXT_END.search(rest + block):
                        return True
                    rest = block[-CIPHERTEXT_END_BYTES:]
                return False
        except UNREADABLE:
            return False

    def _header(self, path: Path) -> tuple[str, ...]:
        try:
            columns = next(csv.reader(TextLines(path), delimiter=delimiter_of(path)), [])
        except (csv.Error, *UNREADABLE) as error:
            raise Stop(
                f"Cannot read {path}: {getattr(error, 'strerror', None) or 'it is damaged'}."
                " Nothing was imported.",
            ) from None
        names = tuple(column.strip().lower() for column in columns)
        if len(set(names)) < len(names):
            raise Stop(f"The header line of {path} names a column twice. Nothing was imported.")
        return names
