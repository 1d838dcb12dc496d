"""Kinds of jobs: the function that runs each, and the lane that it runs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streams.jobs.backfill.parity import parity
from streams.jobs.backfill.rollback import rollback
from streams.jobs.backfill.run import backfill
from streams.jobs.bulk import bulk
from streams.jobs.context import JobContext
from streams.jobs.erase import erase
from streams.jobs.recompute import recompute
from streams.jobs.reconcile import reconcile
from streams.jobs.retention import retention

Run = Callable[[JobContext], None]

#: Lane → kind of job → its function, which resumes at the job's cursor and returns when the job is complete.
#: Lanes run side by side, the jobs of one lane in turn: a backfill of hours delays no repair.
LANES: Final[dict[str, dict[str, Run]]] = {
    "requested": {
        "recompute": recompute,
        "backfill": backfill,
        "backfill_rollback": rollback,
        "parity": parity,
    },
    # Of its own: a person waits for it.
    "bulk": {"bulk": bulk},
    # Of its own: it may wait for the relay, and an erasure must not wait for a backfill.
    "erasures": {"erase": erase},
    "scheduled": {"reconcile": reconcile, "retention": retention},
}
