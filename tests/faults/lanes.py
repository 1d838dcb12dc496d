"""Fault lanes: one thread per part of the pipeline, so that faults of different parts may overlap."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.faults.kinds import KINDS


@dataclass
class FaultOutcome:
    """Outcome of one fault.

    :param recovery: seconds until every partition (or the relay) made progress; ``None``: not measured,
        because the next fault came first or no role shows it.
    :param drain: seconds from the end of an outage until everything acknowledged by then was applied.
    """

    number: int
    kind: str
    at: float
    lasted: float
    reached: bool = True
    outage: float | None = None
    recovery: float | None = None
    drain: float | None = None


class Lanes:
    """Inject faults in threads, one per lane, each in order.

    :param waiting: numbers and kinds of the faults.
    :param inject: injects one fault and returns when it is over.
    :param concurrent: run the lanes concurrently; otherwise there is one lane.
    """

    def __init__(
        self,
        waiting: Sequence[tuple[int, str]],
        inject: Callable[[int, str], FaultOutcome],
        *,
        concurrent: bool,
    ) -> None:
        self._inject = inject
        self._found: queue.Queue[FaultOutcome | BaseException] = queue.Queue()
        self._go = threading.Event()
        self._over = threading.Event()
        lanes: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for number, kind in waiting:
            lanes[KINDS[kind].lane if concurrent else "all"].append((number, kind))
        self._rest = [threading.Event() for _ in lanes]
        self._threads = [
            threading.Thread(target=self._run, args=(mine, rest), name=f"lane-{name}", daemon=True)
            for (name, mine), rest in zip(lanes.items(), self._rest, strict=True)
        ]

    def __enter__(self) -> Lanes:
        self._go.set()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._go.set()
        for thread in self._threads:
            thread.join(300)

    def outcomes(self) -> Iterator[FaultOutcome]:
        """Yield each fault when it is over, until none is left.

        :raises BaseException: an error in a lane.
        """
        while True:
            try:
                found = self._found.get(timeout=0.1)
            except queue.Empty:
                if not any(thread.is_alive() for thread in self._threads) and self._found.empty():
                    return
                continue
            if isinstance(found, BaseException):
                raise found
            yield found

    def pause(self) -> Iterator[FaultOutcome]:
        """Pause every lane after its present fault; yields the faults that ended meanwhile."""
        self._go.clear()
        for thread, rest in zip(self._threads, self._rest, strict=True):
            while thread.is_alive() and not rest.wait(0.1):
                pass
        while not self._found.empty():
            found = self._found.get()
            if isinstance(found, BaseException):
                raise found
            yield found

    def resume(self) -> None:
        """Resume the lanes."""
        for rest in self._rest:
            rest.clear()
        self._go.set()

    def _run(self, mine: Sequence[tuple[int, str]], rest: threading.Event) -> None:
        try:
            for number, kind in mine:
                if not self._go.is_set():
                    rest.set()
                    self._go.wait()
                if self._over.is_set():
                    return
                self._found.put(self._inject(number, kind))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that reads the outcomes
            self._found.put(error)
        finally:
            rest.set()
