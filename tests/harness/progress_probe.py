"""How far applier and relay are, looked at several times a second: the clock of recovery times."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Final

import psycopg

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.topics import COMMANDS

_LOOK: Final = 0.1
_WATERMARKS: Final = (
    "SELECT partition, next_offset FROM consumed_offsets"
    " WHERE consumer_group = %s AND topic = %s AND next_offset > 0"
)


class ProgressProbe:
    """Polls the watermarks and the relay's noted position through a connection of its own.

    :ivar applied: partition → watermark; ``relayed``: the relay's floor and position.
    :ivar moved: partition (``-1``: the relay) → when it was last seen to move, ``time.monotonic``.
    :ivar answers: whether Postgres answered at the last look.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self.applied: dict[int, int] = {}
        self.relayed: tuple[int, int] = (0, 0)
        self.moved: dict[int, float] = {}
        self.answers = False

    def __enter__(self) -> ProgressProbe:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(15)

    def all_moved_since(self, moment: float) -> bool:
        """Whether every partition's watermark moved after a moment."""
        return len(self.applied) > 0 and all(self.moved[number] > moment for number in self.applied)

    def relay_moved_since(self, moment: float) -> bool:
        """Whether the relay's position moved after a moment."""
        return self.moved.get(-1, 0.0) > moment

    def caught_up(self, ends: Mapping[int, int]) -> bool:
        """Whether everything below ``ends`` is applied."""
        return all(self.applied.get(partition, 0) >= end for partition, end in ends.items())

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with connect(self._settings, application_name="faults-probe", autocommit=True) as connection:
                    while not self._over.wait(_LOOK):
                        self._look(connection)
                        self.answers = True
            except (Retry, psycopg.Error):
                self.answers = False
                self._over.wait(_LOOK)

    def _look(self, connection: psycopg.Connection) -> None:
        names = self._settings.consumer_group, self._settings.topic(COMMANDS)
        for partition, offset in connection.execute(_WATERMARKS, names):
            if self.applied.get(partition) != offset:
                self.applied[partition] = offset
                self.moved[partition] = time.monotonic()
        row = connection.execute("SELECT xid_floor, position FROM relay_positions").fetchone()
        if row is not None and tuple(row) != self.relayed:
            self.relayed = tuple(row)
            self.moved[-1] = time.monotonic()
