"""Check all rows in turn, page by page, and the rows that commands touched before the others.

Damage done by hand, or by a bad restore, has no journal entry: only reading every row finds it. After each
page the sweep rests for a multiple of the time that the page took, so it never uses more than its share of
one connection.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from runtime.postgres import Connection
from sinks.integrity.progress import Progress, note_complete_sweep
from sinks.integrity.row_checks import ROW_CHECKS, RowCheck, broken_rows, next_page
from sinks.integrity.violations import Violation

_PAGE: Final = 200
#: Touched rows that wait at most; those that do not fit wait for the sweep to reach them.
_MOST_TOUCHED: Final = 20_000
#: Between two sweeps of a small database.
_PAUSE_SECONDS: Final = 1.0


class Sweep:
    """Pages of touched rows and of all rows, alternately.

    :param progress: position of the sweep, which it moves.
    :param share: greatest share of the time that pages take.
    :param clock: seconds of a monotonic clock.
    :ivar complete_at: end of the last complete sweep, by that clock; at first the begin of this one.
    """

    def __init__(
        self,
        connection: Connection,
        progress: Progress,
        share: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._progress = progress
        self._rest = 1 / share - 1
        self._clock = clock
        self._touched: dict[str, dict[str, None]] = {check.subject: {} for check in ROW_CHECKS}
        self._kinds = deque(ROW_CHECKS)
        self._touched_turn = False
        self.resume_at = self.complete_at = clock()

    def touch(self, subject: str, ids: Iterable[str]) -> None:
        """Check these rows before the others."""
        waiting = self._touched.get(subject)
        if waiting is not None:
            room = _MOST_TOUCHED - len(waiting)
            waiting.update((identity, None) for identity, _ in zip(ids, range(room), strict=False))

    def run_page(self) -> list[Violation]:
        """Check one page, and set ``resume_at``: the time until which to rest."""
        began = self._clock()
        self._touched_turn = not self._touched_turn
        found = self._touched_page() if self._touched_turn else None
        if found is None:
            found = self._next_page()
        ended = self._clock()
        pause = _PAUSE_SECONDS if self._progress.table is None else 0.0
        self.resume_at = ended + max(pause, (ended - began) * self._rest)
        return found

    def _touched_page(self) -> list[Violation] | None:
        for _ in ROW_CHECKS:
            self._kinds.rotate(1)
            check = self._kinds[0]
            waiting = self._touched[check.subject]
            if waiting:
                ids = [identity for identity, _ in zip(waiting, range(_PAGE), strict=False)]
                for identity in ids:
                    del waiting[identity]
                return broken_rows(self._connection, check, ids)
        return None

    def _next_page(self) -> list[Violation]:
        check = _check_of(self._progress.table)
        ids = next_page(self._connection, check, self._progress.after, _PAGE)
        found = broken_rows(self._connection, check, ids) if ids else []
        if len(ids) == _PAGE:
            self._progress.table, self._progress.after = check.table, ids[-1]
            return found
        following = ROW_CHECKS.index(check) + 1
        self._progress.after = None
        if following < len(ROW_CHECKS):
            self._progress.table = ROW_CHECKS[following].table
        else:
            self._progress.table = None
            note_complete_sweep(self._connection)
            self.complete_at = self._clock()
        return found


def _check_of(table: str | None) -> RowCheck:
    return next((check for check in ROW_CHECKS if check.table == table), ROW_CHECKS[0])
