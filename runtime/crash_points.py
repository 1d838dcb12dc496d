"""Named crash points at which fault tests kill a process.

Armed only if both ``INTERACTIONS_TEST_BUILD=1`` and ``INTERACTIONS_CRASH_POINT=name[:nth]`` are set in the
environment at start. There is no setting for it; without the variables, ``reach`` does nothing.
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
#: Crash points of the connectors; the faults on the pipeline do not use them.
CONNECTOR_POINTS: Final = frozenset(
    {
        "connector-after-intent",
        "connector-after-call-before-result",
        "connector-after-pending-before-send",
        "connector-after-send-before-result",
    }
)
#: Crash points of the connectors that only integrations with a digest reach.
DIGEST_POINTS: Final = frozenset({"connector-after-digest-before-note"})
#: Crash points of the drafts role.
DRAFTS_POINTS: Final = frozenset({"drafts-before-writing", "drafts-before-sending", "drafts-after-sending"})
#: Crash points of the watch.
WATCH_POINTS: Final = frozenset({"watch-after-table-before-event", "watch-after-event-before-mark"})
#: Crash points of the jobs.
JOBS_POINTS: Final = frozenset({"erase-after-page", "bulk-before-count"})


def _armed() -> tuple[str, int] | None:
    if os.environ.get("INTERACTIONS_TEST_BUILD") != "1":
        return None
    name, _, nth = os.environ.get("INTERACTIONS_CRASH_POINT", "").partition(":")
    if not name:
        return None
    known = POINTS | CONNECTOR_POINTS | DIGEST_POINTS | DRAFTS_POINTS | WATCH_POINTS | JOBS_POINTS
    if name not in known:
        raise ValueError(f"unknown crash point {name!r}; known: {', '.join(sorted(known))}")
    return name, int(nth or 1)


_ARMED: Final = _armed()
_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Kill this process with SIGKILL if the point is armed and this is its nth visit."""
    if _ARMED is None or _ARMED[0] != name:
        return
    _reached[name] += 1
    if _reached[name] == _ARMED[1]:
        os.write(2, f"crash point {name} reached\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
