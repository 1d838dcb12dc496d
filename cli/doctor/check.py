"""One line of the doctor's findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it stands, and what to do.

    :param state: ``ok``; ``warn`` when it works but may hurt later; ``fail`` when it does not work.
    :param advice: what to do, empty when nothing.
    """

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    advice: str = ""
