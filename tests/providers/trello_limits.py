"""Trello's rate limits: fixed windows per token and per key; no Retry-After is sent."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass
class TrelloLimits:
    """Fixed-window rate limits.

    :param by_token: requests per window and token.
    :param by_key: requests per window and key.
    :param window: seconds.
    :param lock_out: after more refusals than this in a window, everything else in it is refused.
    """

    by_token: int = 100
    by_key: int = 300
    window: float = 10.0
    lock_out: int = 200
    refusals: int = 0
    most: int = 0
    _counts: dict[tuple[str, int], int] = field(default_factory=dict)
    _refused: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refuse(self, key: str, token: str) -> str | None:
        """Count a request; the error's name if it is refused."""
        with self._lock:
            window = int(time.monotonic() / self.window)
            if self._refused.get(window, 0) > self.lock_out:
                return self._refusal(window, "API_KEY_LIMIT_EXCEEDED")
            for name, limit, error in (
                (f"token {token}", self.by_token, "API_TOKEN_LIMIT_EXCEEDED"),
                (f"key {key}", self.by_key, "API_KEY_LIMIT_EXCEEDED"),
            ):
                count = self._counts[name, window] = self._counts.get((name, window), 0) + 1
                self.most = max(self.most, count)
                if count > limit:
                    return self._refusal(window, error)
            return None

    def _refusal(self, window: int, error: str) -> str:
        self.refusals += 1
        self._refused[window] = self._refused.get(window, 0) + 1
        return error
