"""Apply a batch of commands in one transaction; bisect it when a record breaks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from domain.decide import decide, fold
from domain.decision import Decision
from runtime import crash_points
from runtime.isolation_limit import IsolationLimit
from schemas.command import Command, Refused
from schemas.errors import Retry
from sinks.batch import BatchSink, OpenBatch
from sinks.batch_errors import may_be_a_race, may_blame_a_command
from streams.applier.batches import place_of_command
from streams.applier.isolated_records import log_isolated, refuse_as_poison
from streams.applier.result_values import ResultValues

Commands = Sequence[Command | Refused]
Offsets = Mapping[int, int]
#: Makes the decisions of one part of an open batch.
Part = Callable[[OpenBatch, Commands], list[Decision]]


class Applier:
    """Applies batches through one sink.

    :param results: encodes the results before they are stored; ``None`` when none are published.
    """

    def __init__(self, sink: BatchSink, results: ResultValues | None = None) -> None:
        self._sink = sink
        self._results = results
        self._limit = IsolationLimit()
        # A unique violation may be a race with another applier: the batch is read again once before a
        # record is isolated for it.
        self._raced = False

    def apply(self, commands: Commands, starts: Offsets, results_offsets: Offsets) -> list[Decision]:
        """Apply the commands and commit; on return everything is durable.

        Records below the watermark change nothing: their decisions repeat the stored outcome, so that
        a result that was lost between commit and publishing can be published again.

        :param commands: in the order of their partitions' offsets.
        :param starts: for each partition, the position before the batch.
        :param results_offsets: for each partition, the offset below which results are published.
        :returns: one decision per command, in the same order.
        :raises Retry: nothing was committed as far as is known; the same batch may be given again.
        :raises Stop: the database refuses in a way that no retry mends, or too many records fail.
        """
        try:
            decisions = self._straight(commands, starts, results_offsets)
            if decisions is None:
                decisions = self._bisecting(commands, starts, results_offsets)
        except Retry as error:
            self._raced = self._raced or may_be_a_race(error.__cause__)
            raise
        self._raced = False
        return decisions

    def _straight(
        self, commands: Commands, starts: Offsets, results_offsets: Offsets
    ) -> list[Decision] | None:
        """Apply the batch as a whole; ``None`` when a command breaks it, and nothing has happened."""
        try:
            decisions = self._transact(
                commands,
                starts,
                results_offsets,
                repeat=_known_outcomes,
                fold_fresh=self._fold,
                careful=False,
            )
        except Exception as error:
            if not may_blame_a_command(error):
                raise
            return None
        self._limit.passed(len(commands))
        return decisions

    def _bisecting(self, commands: Commands, starts: Offsets, results_offsets: Offsets) -> list[Decision]:
        """Apply the batch with savepoints, so that a record that breaks it is found and isolated."""
        limit = self._limit.copy()
        decisions = self._transact(
            commands,
            starts,
            results_offsets,
            repeat=self._repeat,
            fold_fresh=partial(self._bisect, limit=limit),
            careful=True,
        )
        self._limit = limit
        return decisions

    def _transact(
        self,
        commands: Commands,
        starts: Offsets,
        results_offsets: Offsets,
        *,
        repeat: Part,
        fold_fresh: Part,
        careful: bool,
    ) -> list[Decision]:
        """Run the batch's transaction: repeat the known outcomes, fold the fresh commands.

        :returns: the decisions in the order of the commands.
        """
        with self._sink.transaction(commands, starts, results_offsets, careful=careful) as batch:
            decisions = repeat(batch, batch.known) if batch.known else []
            decisions += fold_fresh(batch, batch.fresh) if batch.fresh else []
            if batch.known:
                decisions = _in_order(commands, decisions)
            batch.notices = self._results.notices(decisions) if self._results else ()
        return decisions

    def _fold(self, batch: OpenBatch, commands: Commands) -> list[Decision]:
        """Load the read set, fold the decisions, store them: all or nothing."""
        with batch.savepoint():
            work = batch.load(commands)
            crash_points.reach("mid-statement")
            decisions = fold(work, commands)
            if self._results:
                self._results.make(decisions)
            batch.store(work, decisions)
            return decisions

    def _bisect(self, batch: OpenBatch, commands: Commands, limit: IsolationLimit) -> list[Decision]:
        """Halve a batch that fails until the record at fault is alone, then isolate that record."""
        try:
            decisions = self._fold(batch, commands)
        except Exception as error:
            if not may_blame_a_command(error) or (may_be_a_race(error) and not self._raced):
                raise
            if len(commands) == 1:
                # Its second failure or a later one: a larger batch that held it has failed before.
                limit.isolate(error)
                log_isolated(commands[0].record, "apply", error)
                return self._isolate(batch, commands[0], error)
        else:
            limit.passed(len(commands))
            return decisions
        middle = len(commands) // 2
        return [
            *self._bisect(batch, commands[:middle], limit),
            *self._bisect(batch, commands[middle:], limit),
        ]

    def _isolate(self, batch: OpenBatch, command: Command | Refused, error: Exception) -> list[Decision]:
        try:
            return self._fold(batch, [refuse_as_poison(command, error)])
        except Exception as second:
            if not may_blame_a_command(second):
                raise
            # One of its attributes is what cannot be stored.
            return self._fold(batch, [refuse_as_poison(command, error, bare=True)])

    def _repeat(self, batch: OpenBatch, commands: Commands) -> list[Decision]:
        """Stored outcomes of records below the watermark; a record that cannot be looked up was isolated."""
        try:
            return self._look_up(batch, commands)
        except Exception as error:
            if not may_blame_a_command(error):
                raise
        if len(commands) == 1:
            try:
                return self._look_up(batch, [refuse_as_poison(commands[0], None)])
            except Exception as error:
                if not may_blame_a_command(error):
                    raise
                return self._look_up(batch, [refuse_as_poison(commands[0], None, bare=True)])
        middle = len(commands) // 2
        return [*self._repeat(batch, commands[:middle]), *self._repeat(batch, commands[middle:])]

    @staticmethod
    def _look_up(batch: OpenBatch, commands: Commands) -> list[Decision]:
        with batch.savepoint():
            return _known_outcomes(batch, commands)


def _in_order(commands: Commands, decisions: Sequence[Decision]) -> list[Decision]:
    by_place = {place_of_command(decision.command): decision for decision in decisions}
    places = map(place_of_command, commands)
    return [decision for place in places if (decision := by_place.get(place)) is not None]


def _known_outcomes(batch: OpenBatch, commands: Commands) -> list[Decision]:
    """Outcomes of records below the watermark, from the command log; nothing is written.

    A record whose log row was dropped with its month is left out: its outcome was published then.
    """
    decisions = fold(batch.load(commands), commands)
    unknown = [decision.command for decision in decisions if decision.logged]
    if unknown:
        # Isolated records are logged under their place, not under their id, and perhaps without attributes.
        poison = [refuse_as_poison(command, None, bare=bare) for command in unknown for bare in (False, True)]
        work = batch.load(poison)
        decisions += [decide(work, command) for command in poison]
    return [decision for decision in decisions if not decision.logged]
