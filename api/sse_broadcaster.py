"""Fan-out of changes to event streams: two consumers, many clients, none of which can slow another."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog

from api.integration_event_consumer import FIRST_PARTITION, decode_event
from api.reply_record import ReplyRecord
from schemas.avro_codec import AvroDecoder
from schemas.cache_tags import feature_flags
from schemas.errors import InteractionsError, Reject

_log = structlog.get_logger("gateway")
#: Most events queued per client. A client further behind is told to reload, and its stream ends.
QUEUE_LENGTH: Final = 256
_POSITION: Final = re.compile(r"\d{1,6}-\d{1,19}(\.\d{1,6}-\d{1,19}){0,511}")
#: Members of a result that a stream sends beside its tags.
_SENT_MEMBERS: Final = ("commandId", "commandType", "entityId", "interactionId", "version")
_TENANT_TAG_PREFIX: Final = feature_flags("")

ScopeKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One change, with its position in the results topic or the integration events topic."""

    partition: int
    offset: int
    data: bytes


@dataclass(slots=True, eq=False)
class Subscription:
    """One open stream.

    :param seen: partition → offset of the last change that was sent.
    :param overrun: the queue was full, so the client has to reload.
    """

    scope: ScopeKey
    seen: dict[int, int]
    queue: asyncio.Queue[Change | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_LENGTH + 1))
    overrun: bool = False


class SseBroadcaster:
    """The open streams of one process, and a backlog of changes for clients that reconnect.

    :param starts: partition → first offset that is consumed.
    :param ends: partition → log end offset when the partition was assigned.
    :param backlog: number of changes to keep per partition.
    :param max_clients: most open streams.
    """

    def __init__(
        self,
        decoder: AvroDecoder,
        *,
        starts: Mapping[int, int],
        ends: Mapping[int, int],
        backlog: int,
        max_clients: int,
    ) -> None:
        self._decoder = decoder
        self._starts = starts
        self._first_ends = ends
        self._backlog = backlog
        self._max_clients = max_clients
        self._subscriptions: dict[ScopeKey, set[Subscription]] = {}
        self._kept: dict[int, deque[ReplyRecord]] = {}
        self._floors: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self.clients = 0

    def on_results(self, records: list[ReplyRecord]) -> None:
        """Keep the records and queue their changes. Must be called in the event loop's thread."""
        for record in records:
            kept = self._kept.setdefault(record.partition, deque())
            kept.append(record)
            if len(kept) > self._backlog:
                self._floors[record.partition] = kept.popleft().offset + 1
            self._ends[record.partition] = record.offset
            if self._subscriptions and record.outcome == "applied":
                self._broadcast(record)

    def _broadcast(self, record: ReplyRecord) -> None:
        tenant_id = record.tenant_id or ""
        if not any(scope[0] == tenant_id for scope in self._subscriptions):
            return
        changes = self._changes(record)
        for scope, subscriptions in self._subscriptions.items():
            change = _change_for(scope, changes)
            if change is not None:
                for subscription in subscriptions:
                    _enqueue(subscription, change)

    def _changes(self, record: ReplyRecord) -> dict[ScopeKey, Change]:
        """Scope → its change. A change of a whole tenant has an empty organization."""
        try:
            return self._decoded_changes(record)
        except Exception as error:  # noqa: BLE001 - one odd record must not keep others from the streams
            reason = str(error) if isinstance(error, InteractionsError) else type(error).__name__
            _log.warning("gateway.result_unreadable", reason=reason)
            return {}

    def _decoded_changes(self, record: ReplyRecord) -> dict[ScopeKey, Change]:
        result = self._result(record)
        tags = result.get("invalidates") or []
        if not tags:
            return {}
        scope = record.tenant_id or "", record.organization_id or ""
        changes = {scope: Change(record.partition, record.offset, _data(result, tags))}
        tenant_tags = [tag for tag in tags if tag.startswith(_TENANT_TAG_PREFIX)]
        if tenant_tags:
            data = orjson.dumps({"tags": tenant_tags})
            changes[scope[0], ""] = Change(record.partition, record.offset, data)
        return changes

    def _result(self, record: ReplyRecord) -> dict[str, Any]:
        if record.partition >= FIRST_PARTITION:
            return decode_event(record.value, self._decoder)
        return self._decoder.decode(record.value)[1]

    def subscribe(
        self, scope: ScopeKey, last_event_id: str | None
    ) -> tuple[Subscription, list[Change], bool]:
        """Open a stream; return it, the missed changes, and whether the client must reload everything.

        :param last_event_id: the client's position; ``None`` starts at the current position. A malformed
            position, or one of another topic, means a reload.
        :raises Reject: too many streams are open (503).
        """
        if self.clients >= self._max_clients:
            raise Reject("too_many_streams", "Too many event streams are open; retry later.", status=503)
        seen = self.position()
        missed: list[Change] = []
        reload = False
        if last_event_id:
            position = parse_position(last_event_id)
            missed, reload = self._missed(scope, position) if position is not None else ([], True)
        subscription = Subscription(scope, seen)
        self._subscriptions.setdefault(scope, set()).add(subscription)
        self.clients += 1
        return subscription, missed, reload

    def _missed(self, scope: ScopeKey, position: dict[int, int]) -> tuple[list[Change], bool]:
        now = self.position()
        if position.keys() != now.keys():
            return [], True  # of another topic, or from before it had these partitions
        missed: list[Change] = []
        for partition, after in position.items():
            floor = self._floors.get(partition, self._starts[partition])
            if after + 1 < floor or after > now[partition]:
                return [], True
            for record in self._kept.get(partition, ()):
                if record.offset > after and record.outcome == "applied" and record.tenant_id == scope[0]:
                    change = _change_for(scope, self._changes(record))
                    if change is not None:
                        missed.append(change)
        return missed, False

    def unsubscribe(self, subscription: Subscription) -> None:
        """Close a stream. Idempotent."""
        subscriptions = self._subscriptions.get(subscription.scope)
        if subscriptions is None or subscription not in subscriptions:
            return
        subscriptions.remove(subscription)
        self.clients -= 1
        if not subscriptions:
            del self._subscriptions[subscription.scope]

    def position(self) -> dict[int, int]:
        """partition → last consumed offset."""
        return {partition: end - 1 for partition, end in self._first_ends.items()} | self._ends

    def close(self) -> None:
        """End every stream."""
        for subscriptions in list(self._subscriptions.values()):
            for subscription in list(subscriptions):
                _end(subscription)


def _change_for(scope: ScopeKey, changes: dict[ScopeKey, Change]) -> Change | None:
    return changes.get(scope, changes.get((scope[0], "")))


def _enqueue(subscription: Subscription, change: Change) -> None:
    if subscription.overrun:
        return
    if subscription.queue.qsize() >= QUEUE_LENGTH:
        subscription.overrun = True
        _end(subscription)
        return
    subscription.queue.put_nowait(change)


def _end(subscription: Subscription) -> None:
    while subscription.queue.full():
        subscription.queue.get_nowait()
    subscription.queue.put_nowait(None)


def _data(result: dict[str, Any], tags: list[str]) -> bytes:
    """Ids and tags only: a stream carries no customer text."""
    return orjson.dumps({"tags": tags, **{name: result[name] for name in _SENT_MEMBERS if name in result}})


def format_position(seen: dict[int, int]) -> str:
    """Format a ``Last-Event-ID``: ``0-15.1-7`` resumes at offset 15 of partition 0 and offset 7 of 1."""
    return ".".join(f"{partition}-{offset + 1}" for partition, offset in sorted(seen.items()))


def parse_position(text: str) -> dict[int, int] | None:
    """Parse the output of ``format_position``; ``None`` if it is malformed.

    A browser repeats its last event id on every reconnect. If the server refused it, the client could never
    connect again.
    """
    if not _POSITION.fullmatch(text):
        return None
    pairs: Iterator[list[str]] = (pair.split("-") for pair in text.split("."))
    return {int(partition): int(next_offset) - 1 for partition, next_offset in pairs}
