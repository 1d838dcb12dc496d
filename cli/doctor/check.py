"""Result of one check of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one check.

    :param state: ``ok``; ``warn``: works, with a risk; ``fail``: does not work.
    :param advice: action to take; empty if none is needed.
    """

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    advice: str = ""
