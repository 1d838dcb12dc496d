"""A stage of the pipeline that makes no progress while work waits for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stall:
    """One stage, at one place, that stands still.

    :param stage: ``consumed``, ``applied``, ``results``, ``events``, ``sync`` or ``polls``.
    :param place: the partition and offset, or the integration, in words.
    :param seconds: how long nothing has moved there.
    :param reason: one plain sentence: what waits, since when, and what to do.
    """

    stage: str
    place: str
    seconds: float
    reason: str
