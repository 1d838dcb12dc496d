"""Kinds of jobs: the function that runs each, and the lane that it runs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streams.jobs.context import JobContext

Run = Callable[[JobContext], None]

#: Lane → kind of job → its function, which resumes at the job's cursor and returns when the job is complete.
#: Lanes run side by side, the jobs of one lane in turn: a backfill of hours delays no repair.
LANES: Final[dict[str, dict[str, Run]]] = {
    "requested": {},
    "scheduled": {},
}
