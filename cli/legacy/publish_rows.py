"""Publish the commands of one table, and count their outcomes as fates of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from cli.legacy.report import ImportReport, TableReport
from cli.publish.input_lines import InputCommand, Unsendable, check_line
from cli.publish.publishing import ListSource, publishing
from cli.publish.report import Report
from runtime.settings import Settings

_LATEST: Final = 60_000
#: A command, and the place of its row.
Placed = tuple[dict[str, Any], str]


class RowPublisher:
    """Sends commands and waits for the outcome of each.

    :param timeout: seconds without progress after which the remaining commands count as unknown.
    """

    def __init__(self, settings: Settings, report: ImportReport, timeout: float) -> None:
        self._settings = settings
        self._report = report
        self._timeout = timeout

    def run(self, commands: Iterable[Placed], table: TableReport, on_progress: Callable[[], None]) -> None:
        """Publish; the commands are produced while earlier ones are in flight.

        :raises KeyboardInterrupt: the run was interrupted; what is known is counted.
        :raises Retry: Kafka is unavailable.
        """
        places = _Places()

        def show(done: Report) -> None:
            places.look_up(done)
            on_progress()

        with publishing(
            self._settings,
            timeout=self._timeout,
            max_shown=self._report.max_shown,
            on_progress=show,
        ) as publisher:
            done = publisher.run(ListSource(_records(commands, places)))
        table.written += done.outcomes["applied"] + done.accepted
        table.unchanged += done.outcomes["no_op"] + done.outcomes["duplicate"]
        for reason, count in (
            ("rejected", done.outcomes["rejected"]),
            ("not_sent", done.not_sent),
            ("unknown_outcome", done.unknown),
        ):
            if count:
                table.skipped[reason] += count
        self._list(done, places)
        if done.interrupted:
            raise KeyboardInterrupt
        self._report.failure = self._report.failure or done.failure

    def _list(self, done: Report, places: _Places) -> None:
        for rejection in done.rejections:
            place = places.found.get(rejection.command_id or "", f"row {rejection.line}")
            self._report.add_fault(place, f"rejected: {rejection.problem.get('code', 'no reason given')}")
        for fault in done.unsendable:
            self._report.add_fault(f"row {fault.number}", f"not sent: {fault.detail}")


class _Places:
    """Places of the latest commands, more than can be in flight; those of rejected ones are kept."""

    def __init__(self) -> None:
        self._latest: dict[str, str] = {}
        self.found: dict[str, str] = {}

    def add(self, command_id: str, place: str) -> None:
        self._latest[command_id] = place
        if len(self._latest) > _LATEST:
            del self._latest[next(iter(self._latest))]

    def look_up(self, done: Report) -> None:
        for rejection in done.rejections:
            if (command_id := rejection.command_id) in self._latest:
                self.found[command_id] = self._latest[command_id]


def _records(commands: Iterable[Placed], places: _Places) -> Iterable[InputCommand | Unsendable]:
    for number, (command, place) in enumerate(commands, 1):
        places.add(command["id"], place)
        record = check_line(number, orjson.dumps(command))
        assert record is not None
        yield record
