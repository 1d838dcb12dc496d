"""In-memory provider: objects that people also edit, with the faults of real providers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sdk.declaration import Declaration, MirroredField, ProviderSettings, RateLimit
from connectors.sdk.provider import Provider, ProviderContext
from connectors.sdk.remote import ChangePage, Gone, Health, Intent, RemoteChange, RemoteObject
from schemas.errors import Conflict, NeedsAuth, Retry, Skip

_NEVER = datetime.min.replace(tzinfo=UTC)
FIELD_NAMES = ("title", "status", "scheduled_at", "priority")


@dataclass
class Thing:
    """Object on the board."""

    id: str
    values: dict[str, Any]
    marker: str | None
    version: int = 1
    updated_at: datetime = _NEVER
    archived: bool = False
    deleted: bool = False
    unreadable: bool = False
    elsewhere: str | None = None


@dataclass
class Board:
    """State of the provider.

    :ivar writes: every write that had an effect: (marker or object id, operation).
    :ivar deliveries: changes that its webhooks would report, in order.
    :ivar outage: no request is answered.
    :ivar lose_answer: probability that a write takes effect but its response is lost.
    :ivar vanished: all objects, and the board itself, are not found any more.
    :ivar lists: a poll without a cursor lists current objects instead of the full history.
    :ivar forgets: the cursor of the next poll is unknown.
    """

    name: str
    clock: Callable[[], datetime]
    chance: random.Random
    lossy: bool
    conditional: bool
    skew: timedelta = timedelta()
    outage: bool = False
    vanished: bool = False
    lists: bool = False
    forgets: bool = False
    lose_answer: float = 0.0
    things: dict[str, Thing] = field(default_factory=dict)
    log: list[RemoteChange] = field(default_factory=list)
    deliveries: list[RemoteChange] = field(default_factory=list)
    writes: list[tuple[str, str]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.clock() + self.skew

    def changed(self, thing: Thing, kind: str = "changed") -> None:
        thing.version += 1
        thing.updated_at = self.now()
        change = RemoteChange(
            event_id=f"{thing.id}-{thing.version}",
            external_id=thing.id,
            occurred_at=thing.updated_at,
            kind="gone" if kind == "gone" else "changed",
        )
        self.log.append(change)
        self.deliveries.append(change)

    def new_thing(self, values: Mapping[str, Any], marker: str | None) -> Thing:
        thing = Thing(f"{self.name}{len(self.things) + 1}", dict(values), marker)
        self.things[thing.id] = thing
        self.changed(thing)
        return thing

    def move(self, thing: Thing) -> Thing:
        """Give an object another id, as a client does that saves it under a new name."""
        moved = self.new_thing(thing.values, thing.marker)
        moved.archived = thing.archived
        thing.deleted = True
        self.changed(thing, "gone")
        return moved

    def entry(self, name: str, value: Any) -> Any:
        """Round a value to the precision that the board stores."""
        return coarse_of(name)(value) if self.lossy and coarse_of(name) is not None else value


def _date(value: datetime | None) -> datetime | None:
    return value.replace(hour=0, minute=0, second=0, microsecond=0) if value is not None else None


def _keep_time(local: datetime | None, remote: datetime | None) -> datetime | None:
    if local is None or remote is None:
        return remote
    return remote.replace(
        hour=local.hour, minute=local.minute, second=local.second, microsecond=local.microsecond
    )


def _level(value: int | None) -> int | None:
    return value // 25 * 25 if value is not None else None


def coarse_of(name: str) -> Any:
    return {"scheduled_at": _date, "priority": _level}.get(name)


class BoardProvider(Provider):
    """Provider implementation for the board."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def _object(self, thing: Thing) -> RemoteObject:
        return RemoteObject(
            external_id=thing.id,
            values=dict(thing.values),
            url=f"https://board.example/{thing.id}",
            version=str(thing.version),
            updated_at=thing.updated_at,
            archived=thing.archived,
            marker=thing.marker,
        )

    def _begin(self) -> None:
        if self.board.outage:
            raise Retry("the board is down")

    def _board(self) -> None:
        self._begin()
        if self.board.vanished:
            raise NeedsAuth("the board is not there")

    def _found(self, external_id: str) -> Thing | None:
        self._begin()
        thing = self.board.things[external_id]
        if thing.deleted or self.board.vanished:
            return None
        if thing.unreadable:
            raise Skip("unreadable")
        return thing

    def _answered(self, thing: Thing) -> RemoteObject:
        if self.board.chance.random() < self.board.lose_answer:
            raise Retry("the answer was lost")
        return self._object(thing)

    def create(self, intent: Intent) -> RemoteObject:
        self._board()
        values = {name: self.board.entry(name, value) for name, value in intent.values.items()}
        thing = self.board.new_thing(values, intent.marker)
        self.board.writes.append((intent.marker, "create"))
        return self._answered(thing)

    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        thing = self._found(external_id)
        if thing is None:
            return Gone(external_id=external_id)
        if self.board.conditional and base.version != str(thing.version):
            raise Conflict("the object has changed")
        thing.values.update({name: self.board.entry(name, value) for name, value in changes.items()})
        self.board.changed(thing)
        self.board.writes.append((thing.marker or thing.id, "update"))
        return self._answered(thing)

    def archive(self, external_id: str) -> RemoteObject | Gone:
        thing = self._found(external_id)
        if thing is None:
            return Gone(external_id=external_id)
        if not thing.archived:
            thing.archived = True
            self.board.changed(thing)
            self.board.writes.append((thing.marker or thing.id, "archive"))
        return self._answered(thing)

    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        thing = self._found(external_id)
        if thing is None:
            return Gone(external_id=external_id)
        wanted = {name: self.board.entry(name, value) for name, value in values.items()}
        if thing.archived or thing.values != wanted:
            thing.archived = False
            thing.values.update(wanted)
            self.board.changed(thing)
            self.board.writes.append((thing.marker or thing.id, "restore"))
        return self._answered(thing)

    def read(self, external_id: str) -> RemoteObject | Gone:
        thing = self._found(external_id)
        if thing is not None and thing.elsewhere is not None:
            return Gone(external_id=external_id, elsewhere=thing.elsewhere)
        return Gone(external_id=external_id) if thing is None else self._object(thing)

    def find_by_marker(self, marker: str) -> RemoteObject | None:
        self._board()
        for thing in self.board.things.values():
            if thing.marker == marker and not (thing.deleted or thing.unreadable or thing.elsewhere):
                return self._object(thing)
        return None

    def changes(self, cursor: str | None) -> ChangePage:
        self._board()
        if self.board.forgets:
            cursor, self.board.forgets = None, False
        if cursor is None and self.board.lists:
            return self._listing()
        start = int(cursor or 0)
        page = self.board.log[start : start + 50]
        # A poll shows the current state of each object.
        changes = []
        skipped = {}
        for change in page:
            thing = self.board.things[change.external_id]
            if thing.unreadable and not thing.deleted:
                skipped[thing.id] = "unreadable"
                continue
            changes.append(
                RemoteChange(
                    event_id=change.event_id,
                    external_id=change.external_id,
                    occurred_at=change.occurred_at,
                    kind="gone" if thing.deleted else "changed",
                    state=None if thing.deleted or thing.elsewhere else self._object(thing),
                )
            )
        end = start + len(page)
        return ChangePage(
            changes=tuple(changes), cursor=str(end), more=end < len(self.board.log), skipped=skipped
        )

    def _listing(self) -> ChangePage:
        there = [thing for thing in self.board.things.values() if not (thing.deleted or thing.elsewhere)]
        return ChangePage(
            changes=tuple(
                RemoteChange(
                    event_id=f"{thing.id}-{thing.version}",
                    external_id=thing.id,
                    occurred_at=None,
                    state=self._object(thing),
                )
                for thing in there
                if not thing.unreadable
            ),
            cursor=str(len(self.board.log)),
            skipped={thing.id: "unreadable" for thing in there if thing.unreadable},
            starts_full_listing=True,
        )

    def health(self) -> Health:
        self._board()
        return Health(ok=True, detail="a board in memory")


class BoardSettings(ProviderSettings):
    """No settings."""


def _no_maker(settings: BoardSettings, context: ProviderContext) -> Provider:
    raise AssertionError("a board is made by the simulation")


def declaration_of(board: Board) -> Declaration:
    """Declaration that matches the board's capabilities."""
    fields = []
    for name in FIELD_NAMES:
        if board.lossy and coarse_of(name) is not None:
            fields.append(
                MirroredField(
                    name=name,
                    remote_name=name,
                    coarse=coarse_of(name),
                    refine=_keep_time if name == "scheduled_at" else (lambda _local, remote: remote),
                    loss="coarse",
                )
            )
        else:
            fields.append(MirroredField(name=name, remote_name=name))
    return Declaration(
        name="board",
        title="Board",
        summary="A board in memory.",
        settings=BoardSettings,
        make=_no_maker,
        fields=tuple(fields),
        features=frozenset({"read", "find", "poll", "webhooks"}),
        hosts=lambda _: ("board.example",),
        limits=(RateLimit(requests=1000, seconds=1),),
        conditional_writes=board.conditional,
    )
