"""Rows of the source in chunks, with those counted that are broken or of another tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from cli.legacy.report import ImportReport, TableReport
from cli.legacy.source import BrokenRow, Source, SourceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Choices of the operator.

    :param tenant: import only this tenant.
    :param chunk_rows: rows per transaction.
    :param timeout: seconds without progress after which the outcome of a command is unknown.
    """

    tenant: str | None = None
    include_private: bool = False
    dry_run: bool = False
    chunk_rows: int = 5_000
    timeout: float = 60.0


class ChunkReader:
    """Reads the tables of a source and accounts for the rows that cannot be imported.

    :param on_progress: called with the table and the number of its rows so far.
    """

    def __init__(
        self, source: Source, options: Options, report: ImportReport, on_progress: Callable[[str, int], None]
    ) -> None:
        self._source = source
        self.options = options
        self.report = report
        self._on_progress = on_progress

    def chunks(self, name: str, size: int) -> Iterator[list[SourceRow]]:
        """Readable rows of a table, in chunks of at most ``size``; none if the table is not there."""
        table = self.report.tables[name]
        if not table.there:
            return
        rows = self._source.rows(name)
        while chunk := list(islice(rows, size)):
            wanted = []
            for row in chunk:
                if isinstance(row, BrokenRow):
                    self.reject(table, row.place, row.reason)
                elif self._is_wanted(row):
                    wanted.append(row)
                else:
                    table.read += 1
                    table.skipped["other_tenant"] += 1
            yield wanted
            self._on_progress(name, table.read)

    def reject(self, table: TableReport, place: str, reason: str) -> None:
        """Count and list a row that cannot be imported because of its form."""
        table.read += 1
        table.broken += 1
        self.report.add_fault(place, reason)

    def progress(self, name: str) -> None:
        """Report progress without further rows."""
        self._on_progress(name, self.report.tables[name].read)

    def _is_wanted(self, row: SourceRow) -> bool:
        tenant = row.values.get("tenant_id")
        return self.options.tenant is None or tenant is None or tenant.strip().lower() == self.options.tenant


def repairs(row: SourceRow) -> list[str]:
    """Notes on a row that was repaired when it was read."""
    return ["encoding_repaired"] * row.repaired + ["nul_removed"] * row.nul
