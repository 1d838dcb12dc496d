"""Daemon threads: work that must not keep the process alive after Ctrl-C, such as downloads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence


def run_all(tasks: Sequence[Callable[[], object]], workers: int) -> Iterator[None]:
    """Run tasks in daemon threads; yields while waiting, so that the caller can abandon them.

    :raises BaseException: the first failure of a task. The other tasks continue unobserved.
    """
    todo: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
    for task in tasks:
        todo.put(task)
    done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        while True:
            try:
                task = todo.get_nowait()
            except queue.Empty:
                return
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                done.put(error)
            else:
                done.put(None)

    for _ in range(min(workers, len(tasks))):
        threading.Thread(target=work, daemon=True).start()
    left = len(tasks)
    while left:
        yield
        try:
            failure = done.get(timeout=0.1)
        except queue.Empty:
            continue
        if failure is not None:
            raise failure
        left -= 1
