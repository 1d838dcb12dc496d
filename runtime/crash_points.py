"""Named places where a test build can be killed: the proof of the laws under faults.

Armed only when both ``INTERACTIONS_TEST_BUILD=1`` and ``INTERACTIONS_CRASH_POINT=name[:nth]`` are set in
the environment at start; there is no setting for it, and without them ``reach`` does nothing.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Final

POINTS: Final = frozenset(
    {
        "after-poll",
        "after-decode",
        "mid-statement",
        "before-commit",
        "after-commit-before-results",
        "after-results-before-offsets",
        "after-offsets-before-commit",
        "relay-after-read",
        "relay-after-send-before-commit",
        "relay-after-commit-before-cleanup",
    }
)
#: Those of the connectors; the faults on the pipeline leave them out.
CONNECTOR_POINTS: Final = frozenset(
    {
        "connector-after-intent",
        "connector-after-call-before-result",
        "connector-after-pending-before-send",
        "connector-after-send-before-result",
    }
)


def _armed() -> tuple[str, int] | None:
    if os.environ.get("INTERACTIONS_TEST_BUILD") != "1":
        return None
    name, _, nth = os.environ.get("INTERACTIONS_CRASH_POINT", "").partition(":")
    if not name:
        return None
    known = POINTS | CONNECTOR_POINTS
    if name not in known:
        raise ValueError(f"unknown crash point {name!r}; known: {', '.join(sorted(known))}")
    return name, int(nth or 1)


_ARMED: Final = _armed()
_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Die here by SIGKILL if the point is armed and this is its nth visit."""
    if _ARMED is None or _ARMED[0] != name:
        return
    _reached[name] += 1
    if _reached[name] == _ARMED[1]:
        os.write(2, f"crash point {name} reached\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
