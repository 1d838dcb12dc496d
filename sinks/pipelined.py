"""Pipelined statements (libpq, "Pipeline Mode"): they share round trips but run in order, each with its own
snapshot.

Hazard: in a pipeline, an error is raised where a result is read, and the statements sent after the failed one
have not run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from runtime.postgres import Connection


@contextlib.contextmanager
def pipelined(connection: Connection) -> Iterator[None]:
    """Send statements that do not need each other's results; join the open pipeline if there is one."""
    if connection.info.pipeline_status:
        yield
        return
    with connection.pipeline():
        yield
