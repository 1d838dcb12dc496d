"""Limit on isolated records: a few are set aside, a broken deployment ends the process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from schemas.errors import Stop

#: Consecutive isolated records that end the process.
MOST_IN_A_ROW: Final = 100
#: Share of the recent records that ends it, once more than the same number are isolated.
MOST_SHARE: Final = 0.5
_RECENT: Final = 1_000


@dataclass(slots=True)
class IsolationLimit:
    """Counts isolated records among all (compare arroyo's ``DlqLimit``: a ratio and a consecutive count).

    Hazard: a failure on every record is no record's fault. To isolate them one by one would drain the topic
    into the dead letters.
    """

    in_a_row: int = 0
    isolated: int = 0
    seen: int = 0

    def passed(self, records: int) -> None:
        """Note records that did not fail."""
        if records:
            self.in_a_row = 0
            self._saw(records)

    def isolate(self, error: BaseException | None) -> None:
        """Note one isolated record.

        :raises Stop: this looks like a broken deployment.
        """
        self.in_a_row += 1
        self.isolated += 1
        self._saw(1)
        many = self.isolated > MOST_IN_A_ROW and self.isolated > MOST_SHARE * self.seen
        if self.in_a_row > MOST_IN_A_ROW or many:
            raise Stop(
                f"{self.isolated} of the last {self.seen} records failed (the newest by"
                f" {type(error).__name__}); this looks like a broken deployment, not like bad records."
                " Nothing of the current batch was stored. See docs/operations.md, Getting past one record"
            ) from error

    def copy(self) -> IsolationLimit:
        """Copy the counts, for a batch that may be rolled back."""
        return replace(self)

    def _saw(self, records: int) -> None:
        self.seen += records
        if self.seen > _RECENT:
            # Older records count less and less.
            self.isolated = self.isolated * _RECENT // self.seen
            self.seen = _RECENT
