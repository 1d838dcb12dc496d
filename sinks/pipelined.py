"""Statements that share round trips (libpq, "Pipeline Mode"): what is sent together is still run in order,
each statement with a snapshot of its own.

Hazard: in a pipeline an error is raised where an answer is read, and everything sent after the statement
that failed has not been run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from runtime.postgres import Connection


@contextlib.contextmanager
def pipelined(connection: Connection) -> Iterator[None]:
    """Statements that do not need each other's answers; part of the pipeline that is open, if one is."""
    if connection.info.pipeline_status:
        yield
        return
    with connection.pipeline():
        yield
