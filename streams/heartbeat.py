"""Heartbeats of the stages of a role: a stage that waits or retries beats, a hung one does not."""

from __future__ import annotations

import time


class Heartbeat:
    """When each stage last showed that it lives: a stage that waits or retries beats, a hung one does not."""

    def __init__(self) -> None:
        self._beats: dict[str, float] = {}
        self._limits: dict[str, float] = {}
        self._excused: dict[str, float] = {}
        #: Whether a stage has come round its loop: the role does its work.
        self.started = False

    def beat(self, stage: str, within: float | None = None) -> None:
        """The stage lives.

        :param within: seconds until its next beat at the latest, when it knows better than the watcher.
        """
        self.started = True
        if within is None:
            self._limits.pop(stage, None)
        else:
            self._limits[stage] = within
        self._beats[stage] = time.monotonic()

    def rest(self, stage: str) -> None:
        """The stage has nothing to do, so its silence means nothing."""
        self._beats.pop(stage, None)

    def excuse(self, stage: str, seconds: float) -> None:
        """The stage waits for a server that refuses; for so long its standing still says nothing."""
        self._excused[stage] = time.monotonic() + seconds

    def excused(self) -> bool:
        """Whether a stage waits for a server."""
        now = time.monotonic()
        return any(until > now for until in list(self._excused.values()))

    def silent(self, seconds: float) -> list[str]:
        """The stages at work that have not beaten for longer than ``seconds``, or than they promised."""
        now = time.monotonic()
        beats = list(self._beats.items())
        return [stage for stage, beat in beats if now - beat > self._limits.get(stage, seconds)]
