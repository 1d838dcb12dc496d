"""Count and log what a role set aside because it failed on it."""

from __future__ import annotations

from typing import Any, Final

import structlog
from prometheus_client import Counter

_ISOLATED: Final = Counter(
    "interactions_isolated",
    "Records, rows and decisions set aside because this role failed on them",
    ["event"],
)


def note_isolated(event: str, **facts: Any) -> None:
    """Log a failure on one record and count it; the others go on.

    Hazard: no customer text, so no text of an error.

    :param event: log event, such as ``applier.isolated``.
    :param facts: of the log line: the place, and the class of the error.
    """
    _ISOLATED.labels(event).inc()
    structlog.get_logger(event.partition(".")[0]).error(event, **facts)
