"""Fan-out of what changed: one listener, many open event streams, none of which can slow another."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog
from pydantic import TypeAdapter, ValidationError

from api.integration_event_consumer import FIRST_PARTITION
from api.result_consumer import Heard
from schemas.avro_codec import AvroDecoder
from schemas.cache_tags import feature_flags
from schemas.errors import InteractionsError, Reject
from schemas.integration_events import MappingChanged, StateChanged

_log = structlog.get_logger("gateway")
#: Events that wait for one client; one that is further behind is told to reload, and let go.
QUEUE_LENGTH: Final = 256
_POSITION: Final = re.compile(r"\d{1,6}-\d{1,19}(\.\d{1,6}-\d{1,19}){0,511}")
#: What a stream tells of a result, besides its tags.
_SHOWN: Final = ("commandId", "commandType", "entityId", "interactionId", "version")
_INVALIDATING: Final = TypeAdapter[MappingChanged | StateChanged](MappingChanged | StateChanged)
_TAGS_OF_A_TENANT: Final = feature_flags("")

ScopeKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One change with its place in the results topic or, counted on, in that of integration events."""

    partition: int
    offset: int
    data: bytes


@dataclass(slots=True, eq=False)
class Subscription:
    """One open stream.

    :param seen: partition → the offset of the last change that was given out.
    """

    scope: ScopeKey
    seen: dict[int, int]
    queue: asyncio.Queue[Change | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_LENGTH + 1))
    overrun: bool = False


class SseBroadcaster:
    """The open streams of one process, and the last changes for those who come back.

    :param starts: partition → the offset from which on everything is heard.
    :param ends: partition → the topic's end at that moment.
    :param backlog: how many changes of each partition are kept.
    :param most_clients: further ones are refused.
    """

    def __init__(
        self,
        decoder: AvroDecoder,
        *,
        starts: Mapping[int, int],
        ends: Mapping[int, int],
        backlog: int,
        most_clients: int,
    ) -> None:
        self._decoder = decoder
        self._starts = starts
        self._first_ends = ends
        self._backlog = backlog
        self._most_clients = most_clients
        self._streams: dict[ScopeKey, set[Subscription]] = {}
        self._kept: dict[int, deque[Heard]] = {}
        self._floors: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self.clients = 0

    def heard(self, items: list[Heard]) -> None:
        """Keep the outcomes and hand them on; called in the loop's thread."""
        for item in items:
            kept = self._kept.setdefault(item.partition, deque())
            kept.append(item)
            if len(kept) > self._backlog:
                self._floors[item.partition] = kept.popleft().offset + 1
            self._ends[item.partition] = item.offset
            if self._streams and item.outcome == "applied":
                self._hand_on(item)

    def _hand_on(self, item: Heard) -> None:
        own = item.tenant_id or "", item.organization_id or ""
        if not any(scope[0] == own[0] for scope in self._streams):
            return
        found = self._changes(item)
        for scope, streams in self._streams.items():
            change = found.get(scope, found.get((scope[0], "")))
            if change is not None:
                for stream in streams:
                    _offer(stream, change)

    def _changes(self, item: Heard) -> dict[ScopeKey, Change]:
        """Scope → its change. A change of a whole tenant stands under no organization."""
        result = self._result(item)
        tags = result.get("invalidates") or []
        if not tags:
            return {}
        own = item.tenant_id or "", item.organization_id or ""
        found = {own: Change(item.partition, item.offset, _data(result, tags))}
        shared = [tag for tag in tags if tag.startswith(_TAGS_OF_A_TENANT)]
        if shared:
            data = orjson.dumps({"tags": shared})
            found[own[0], ""] = Change(item.partition, item.offset, data)
        return found

    def _result(self, item: Heard) -> dict[str, Any]:
        try:
            if item.partition >= FIRST_PARTITION:
                event = _INVALIDATING.validate_json(item.value)
                about = getattr(event, "interaction_id", None)
                return {"invalidates": event.invalidates, "interactionId": about}
            return self._decoder.decode(item.value)[1]
        except (InteractionsError, ValidationError) as error:
            # Of a ValidationError the kind alone: its text holds the value.
            reason = str(error) if isinstance(error, InteractionsError) else type(error).__name__
            _log.warning("gateway.result_unreadable", reason=reason)
            return {}

    def subscribe(
        self, scope: ScopeKey, last_event_id: str | None
    ) -> tuple[Subscription, list[Change], bool]:
        """Open a stream: it, the changes that were missed, and whether the client must reload everything.

        :param last_event_id: the position the client has seen; ``None`` for from now on.
            Of another form, or of another topic, everything must be reloaded.
        :raises Reject: too many streams are open (503).
        """
        if self.clients >= self._most_clients:
            raise Reject("too_many_streams", "too many event streams are open; retry later", status=503)
        seen = self.position()
        missed: list[Change] = []
        reload = False
        if last_event_id:
            asked = parse_position(last_event_id)
            missed, reload = self._missed(scope, asked) if asked is not None else ([], True)
        stream = Subscription(scope, seen)
        self._streams.setdefault(scope, set()).add(stream)
        self.clients += 1
        return stream, missed, reload

    def _missed(self, scope: ScopeKey, asked: dict[int, int]) -> tuple[list[Change], bool]:
        now = self.position()
        if asked.keys() != now.keys():
            return [], True  # of another topic, or from before it had these partitions
        missed: list[Change] = []
        for partition, after in asked.items():
            floor = self._floors.get(partition, self._starts[partition])
            if after + 1 < floor or after > now[partition]:
                return [], True
            for item in self._kept.get(partition, ()):
                if item.offset > after and item.outcome == "applied" and item.tenant_id == scope[0]:
                    found = self._changes(item)
                    change = found.get(scope, found.get((scope[0], "")))
                    if change is not None:
                        missed.append(change)
        return missed, False

    def unsubscribe(self, stream: Subscription) -> None:
        """Close a stream; more than once does no harm."""
        streams = self._streams.get(stream.scope)
        if streams is None or stream not in streams:
            return
        streams.remove(stream)
        self.clients -= 1
        if not streams:
            del self._streams[stream.scope]

    def position(self) -> dict[int, int]:
        """partition → the last offset that lies behind us."""
        return {partition: end - 1 for partition, end in self._first_ends.items()} | self._ends

    def close(self) -> None:
        """End every stream."""
        for stream in [stream for streams in self._streams.values() for stream in streams]:
            _end(stream)


def _offer(stream: Subscription, change: Change) -> None:
    if stream.overrun:
        return
    if stream.queue.qsize() >= QUEUE_LENGTH:
        stream.overrun = True
        _end(stream)
        return
    stream.queue.put_nowait(change)


def _end(stream: Subscription) -> None:
    while stream.queue.full():
        stream.queue.get_nowait()
    stream.queue.put_nowait(None)


def _data(result: dict[str, Any], tags: list[str]) -> bytes:
    """Ids and tags only: a stream carries no customer text."""
    return orjson.dumps({"tags": tags, **{name: result[name] for name in _SHOWN if name in result}})


def format_position(seen: dict[int, int]) -> str:
    """A position as ``Last-Event-ID`` carries it: ``0-15.1-7``: next come 15 of partition 0 and 7 of 1."""
    return ".".join(f"{partition}-{offset + 1}" for partition, offset in sorted(seen.items()))


def parse_position(text: str) -> dict[int, int] | None:
    """Read what ``format_position`` wrote; ``None`` when it is something else.

    A browser sends the last id that it has seen again and again, so refusing it would be for ever.
    """
    if not _POSITION.fullmatch(text):
        return None
    pairs: Iterator[list[str]] = (pair.split("-") for pair in text.split("."))
    return {int(partition): int(following) - 1 for partition, following in pairs}
