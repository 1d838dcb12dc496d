"""Heartbeats of the stages of a role."""

from __future__ import annotations

import time


class Heartbeat:
    """Last heartbeat per stage. A stage that waits or retries beats; a hung one does not."""

    def __init__(self) -> None:
        self._beats: dict[str, float] = {}
        self._limits: dict[str, float] = {}
        self._excused: dict[str, float] = {}
        #: A stage has completed a round: the role does its work.
        self.started = False

    def beat(self, stage: str, within: float | None = None) -> None:
        """Note that the stage is alive.

        :param within: longest time in seconds until its next beat, in place of the watchdog's own limit.
        """
        self.started = True
        if within is None:
            self._limits.pop(stage, None)
        else:
            self._limits[stage] = within
        self._beats[stage] = time.monotonic()

    def rest(self, stage: str) -> None:
        """Note that the stage is idle, so that its silence means nothing."""
        self._beats.pop(stage, None)

    def excuse(self, stage: str, seconds: float) -> None:
        """Note that the stage waits for an unavailable server: lack of progress is no stall until then."""
        self._excused[stage] = time.monotonic() + seconds

    def excused(self) -> bool:
        """Return whether a stage waits for an unavailable server."""
        now = time.monotonic()
        return any(until > now for until in list(self._excused.values()))

    def silent(self, seconds: float) -> list[str]:
        """List the working stages whose last beat is older than ``seconds``, or than their own limit."""
        now = time.monotonic()
        beats = list(self._beats.items())
        return [stage for stage, beat in beats if now - beat > self._limits.get(stage, seconds)]
