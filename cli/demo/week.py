"""Publish the demo's week as ``interactions publish`` would."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.publish.input_lines import InputCommand, Unsendable, check_line
from cli.publish.publishing import ListSource, publishing
from cli.publish.report import Report
from cli.publish.report_view import progress_bar
from runtime.settings import Settings

if TYPE_CHECKING:
    from examples.week.sample import Sample

_SECONDS = 60.0


def publish_week(settings: Settings, dictionaries: Sequence[Sample], week: Sequence[Sample]) -> Report:
    """Publish the dictionaries, then the week; line numbers of the report continue across both.

    Dictionaries are on other partitions than the customers. Waiting for their results is the only way to
    ensure that they are applied before the week.
    """
    everything = [*dictionaries, *week]
    lines = [
        line
        for number, sample in enumerate(everything, 1)
        if (line := check_line(number, json.dumps(sample.event).encode())) is not None
    ]
    with progress_bar(len(everything)) as show:
        first = _publish(settings, lines[: len(dictionaries)])
        with publishing(settings, timeout=_SECONDS, max_shown=len(everything), on_progress=show) as publisher:
            second = publisher.run(ListSource(lines[len(dictionaries) :]))
    return first.plus(second)


def _publish(settings: Settings, lines: list[InputCommand | Unsendable]) -> Report:
    with publishing(settings, timeout=_SECONDS, max_shown=len(lines)) as publisher:
        return publisher.run(ListSource(lines))
