"""Commands of a job at a pace that leaves the applier to live commands."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.jobs.outcomes import Outcome
from streams.jobs.batch_size import BatchSize
from streams.jobs.commands import JobCommand
from streams.jobs.context import JobContext


class PacedCommands:
    """Publishes batches of commands, waits for their outcomes, and adapts the size of the next batch."""

    def __init__(self, context: JobContext, size: BatchSize | None = None) -> None:
        self._context = context
        self._size = size or BatchSize()

    @property
    def rows(self) -> int:
        """Commands of the next batch."""
        return self._size.rows

    def run(self, commands: Sequence[JobCommand], *, actor: str | None = None) -> dict[str, Outcome]:
        """Publish a batch, and return the outcome of each command by its id once all are applied.

        :raises Retry: Kafka did not acknowledge them; repeating them is safe.
        """
        before = self._context.commands.applied()
        outcomes = self._context.commands.run(commands, actor=actor)
        if commands:
            others = self._context.commands.applied() - before - len(commands)
            self._size.observe(len(commands), self._context.commands.waited, max(0, others))
        return outcomes

    def pause(self) -> None:
        """Leave the applier to live commands, if there are any."""
        if self._size.pause:
            self._context.wait(self._size.pause)
