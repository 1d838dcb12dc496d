"""Careful reading after a crash: few records at a time, each noted before it is decoded.

A record that ends the process without an exception (a crash in a library, out of memory, a hang that the
watchdog ends) would be read again at each start. When owners of a partition end without progress, the next
owner reads in small groups and stores which group it has in hand. A group that was in hand at a crash is
read one record at a time, and a record that was in hand alone at three crashes is isolated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from itertools import groupby
from typing import Final, cast

import structlog
from confluent_kafka import Message

from runtime.incoming_records import bare_record, read_record
from runtime.settings import Settings
from schemas.command import Refused
from schemas.decode import refuse_unread
from schemas.errors import Retry, Stop
from sinks.applier_attempts import Attempt, Attempts
from streams.applier.isolated_records import isolation, log_isolated

_log = structlog.get_logger("applier")
#: Owners in a row without progress after which the next one reads carefully.
_STARTS: Final = 2
#: Crashes with a record alone in hand after which it is isolated; after one more, without being decoded.
#: Hazard: fewer, and kills from outside that come every few seconds isolate a record that merely waits.
_CRASHES: Final = 3
#: Records in a partition's first group; each applied group doubles the next, up to the largest.
_GROUP: Final = 50
_LARGEST_GROUP: Final = 400
#: Batches by which an owner may be past its start: one consumed, one queued, one applied, one published.
_BATCHES: Final = 4
#: Records isolated in a row because of crashes.
_MOST_ISOLATED: Final = 5


class Careful:
    """Tracks the partitions that are read carefully, and up to which offset."""

    def __init__(self, settings: Settings) -> None:
        self._attempts = Attempts(settings)
        self._reach = _BATCHES * settings.batch_size
        self._until: dict[int, int] = {}
        self._known: dict[int, Attempt] = {}
        self._applied: dict[int, int] = {}
        self._sizes: dict[int, int] = {}

    def assigned(self, starts: Mapping[int, tuple[int, bool]], applied: Mapping[int, int]) -> None:
        """Note assigned partitions.

        :param starts: partition → the start offset, and whether records wait there.
        :param applied: partition → the watermark.
        """
        self._applied.update(applied)
        try:
            found = self._attempts.begin(starts)
        except Retry as error:
            _log.warning("applier.retry", reason=str(error))
            return
        for partition, attempt in found.items():
            self._until.pop(partition, None)
            self._sizes[partition] = _GROUP
            start, waiting = starts[partition]
            if waiting and (attempt.starts >= _STARTS or attempt.failures):
                self._until[partition] = max(start + self._reach, (attempt.last or 0) + 1)
                self._known[partition] = attempt
                _log.warning("applier.careful", partition=partition, offset=start, starts=attempt.starts)
        if not self._until:
            self._attempts.close()

    def revoked(self, partitions: Iterable[int]) -> None:
        """Forget revoked partitions."""
        for partition in partitions:
            self._until.pop(partition, None)

    @property
    def partitions(self) -> Set[int]:
        """Partitions that are read carefully now."""
        return self._until.keys()

    def groups(self, messages: Iterable[Message]) -> Iterable[list[Message]]:
        """Split messages of these partitions into the groups in which they are processed, in order."""
        for partition, same in groupby(messages, key=lambda message: _place(message)[0]):
            group: list[Message] = []
            for message in same:
                alone = self._suspect(message)
                if group and (alone or len(group) >= self._sizes[partition]):
                    yield group
                    group = []
                group.append(message)
                if alone:
                    yield group
                    group = []
            if group:
                yield group

    def take_in_hand(self, group: list[Message]) -> Refused | None:
        """Mark a group before it is decoded; return a refusal when its only record is to be isolated.

        :raises Stop: several records in a row end the process; this looks like a broken deployment.
        :raises Retry: the database is not available.
        """
        partition, first = _place(group[0])
        if partition not in self._until:
            return None
        last = _place(group[-1])[1]
        known = self._known.get(partition)
        alone = known is not None and (known.first, known.last) == (first, first)
        before = known.failures if known is not None and alone else 0
        self._attempts.try_records(partition, first, last, before + 1)
        if known is None or not alone or known.failures < _CRASHES:
            return None
        if first < self._applied.get(partition, 0):
            return None  # Hazard: it is applied. To isolate it now would lose its outcome.
        if known.isolated >= _MOST_ISOLATED:
            raise Stop(
                f"partition {partition}: {known.isolated} records in a row ended the process and were"
                f" isolated, and the one at offset {first} does so too; this looks like a broken deployment."
                " See docs/operations.md, Getting past one record"
            )
        record = read_record(group[0]) if known.failures == _CRASHES else bare_record(group[0])
        log_isolated(record, "crash", None)
        return refuse_unread(record, isolation(record, None), bare=True)

    def finished(self, group: list[Message], *, isolated: bool) -> None:
        """Note that a group is applied and published."""
        partition, last = _place(group[-1])
        if partition not in self._until:
            return
        self._attempts.done(partition, isolated=isolated)
        if len(group) > 1:
            self._sizes[partition] = min(2 * self._sizes[partition], _LARGEST_GROUP)
        if last + 1 >= self._until[partition]:
            del self._until[partition]
            if not self._until:
                self._attempts.close()

    def given_up(self, group: list[Message]) -> None:
        """Note that a group was not applied, for another reason than a crash."""
        try:
            self._attempts.forgive(_place(group[0])[0])
        except Retry as error:
            _log.warning("applier.retry", reason=str(error))

    def _suspect(self, message: Message) -> bool:
        partition, offset = _place(message)
        known = self._known.get(partition)
        if partition not in self._until or known is None or known.first is None or known.last is None:
            return False
        return known.first <= offset <= known.last


def _place(message: Message) -> tuple[int, int]:
    return cast("tuple[int, int]", (message.partition(), message.offset()))
