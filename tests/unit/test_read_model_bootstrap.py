"""The read model in examples/ misses no change, however the product publishes while the model is built.

The product is simulated: events first, then the last state per key, in one transaction over all state topics.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from examples.read_model.__main__ import FOLLOWED, Reader, Stopped
from examples.read_model.records import EVENTS, INTERACTION_STATE, NEXT_STATE, TABLES, Change, Record, Row
from examples.read_model.tables import Positions, ReadModel
from examples.read_model.topics import Batch, Topics
from tests.harness.examples import scaled

SCOPE = {"tenantId": "t", "organizationId": "o"}
PARTITIONS = dict.fromkeys(TABLES, 1) | {EVENTS: 2}
ENTITIES = ("a", "b")


class Stored(NamedTuple):
    at: datetime
    record: Record


class Product:
    """Applier and relay, one step at a time; each customer has one interaction, with the customer's id."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.versions = dict.fromkeys(ENTITIES, 0)
        #: The customers' titles as they are now.
        self.titles: dict[str, str] = {}
        self.logs: dict[tuple[str, int], list[Stored | None]] = {
            (topic, number): [] for topic, count in PARTITIONS.items() for number in range(count)
        }
        self._states: dict[tuple[str, str], Record] = {}
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def step(self) -> None:
        """Change a customer, publish states, compact a topic, or do nothing."""
        choice = self._chance.choice(["change", "change", "states", "compact", "nothing"])
        if choice == "change":
            self.change(self._chance.choice(ENTITIES), deletes=self._chance.random() < 0.4)
        elif choice == "states":
            self.publish_states()
        elif choice == "compact":
            self.compact()

    def change(self, entity: str, *, deletes: bool) -> None:
        """Commit a change and publish its two events."""
        self.versions[entity] += 1
        version = self.versions[entity]
        self.titles.pop(entity, None)
        if not deletes:
            self.titles[entity] = f"v{version}"
        after = None if deletes else {"id": entity, "title": f"v{version}", "version": version, **SCOPE}
        found = None if deletes else {"interactionId": entity, "name": f"v{version}"}
        next_ = {"id": entity, "entityId": entity, "entityVersion": version, "next": found, **SCOPE}
        lifecycle = {"id": entity, "version": version, "after": after}
        self._publish(EVENTS, entity, "customers.interaction.updated", lifecycle)
        self._publish(EVENTS, entity, "customers.next_interaction.updated", next_)
        self._states[INTERACTION_STATE, entity] = Record(INTERACTION_STATE, 0, entity, "state", after)
        state = next_ if found is not None else None
        self._states[NEXT_STATE, entity] = Record(NEXT_STATE, 0, entity, "state", state)

    def publish_states(self) -> None:
        """Publish the last state per key since the last time."""
        for (topic, key), record in self._states.items():
            self._publish(topic, key, record.type, record.value)
        self._states.clear()

    def compact(self) -> None:
        """Remove all states but the last per key; a tombstone is kept for longer than a bootstrap takes."""
        for at, log in self.logs.items():
            if at[0] != EVENTS:
                last = {stored.record.key: number for number, stored in enumerate(log) if stored is not None}
                for number, stored in enumerate(log):
                    if stored is not None and last[stored.record.key] != number:
                        log[number] = None

    def _publish(self, topic: str, key: str, kind: str, value: Any) -> None:
        log = self.logs[topic, ENTITIES.index(key) % PARTITIONS[topic]]
        self._now += timedelta(milliseconds=self._chance.randint(0, 1))
        log.append(Stored(self._now, Record(topic, len(log), key, kind, value)))


class SimulatedTopics:
    """Stands for ``Topics``; before each call, the product may take steps.

    :ivar steps: number of calls before which it still may.
    """

    def __init__(self, product: Product, chance: random.Random, stop: threading.Event) -> None:
        self._product = product
        self._chance = chance
        self._stop = stop
        self._at: dict[tuple[str, int], int] = {}
        self._ended: set[tuple[str, int]] = set()
        self.steps = 30

    def ends(self, topics: Iterable[str]) -> Positions:
        found = {}
        for at, log in self._product.logs.items():
            if at[0] in topics:
                self._elapse()
                found[at] = len(log)
        return found

    def offsets_since(self, topic: str, instant: datetime | None) -> Positions:
        self._elapse()
        found = {}
        for at, log in self._product.logs.items():
            if at[0] == topic:
                since = [n for n, it in enumerate(log) if it and (instant is None or it.at >= instant)]
                found[at] = since[0] if since else len(log)
        return found

    def assign(self, positions: Positions) -> None:
        self._elapse()
        self._at = {at: max(0, offset) for at, offset in positions.items()}
        self._ended.clear()

    def take(self, size: int) -> Batch:
        self._elapse()
        batch = Batch()
        ready = [at for at, offset in self._at.items() if offset < len(self._product.logs[at])]
        ready += [at for at in self._at if at not in ready and at not in self._ended]
        if not ready:
            return batch
        at = self._chance.choice(ready)
        log, start = self._product.logs[at], self._at[at]
        end = min(len(log), start + self._chance.randint(1, size))
        for stored in log[start:end]:
            if stored is not None:
                batch.records.append(stored.record)
                if at[0] == INTERACTION_STATE:
                    batch.newest_state = max(batch.newest_state or stored.at, stored.at)
        self._at[at] = batch.positions[at] = end
        if end == len(log):
            self._ended.add(at)
        return batch

    def _elapse(self) -> None:
        while self.steps > 0 and self._chance.random() < 0.4:
            self.steps -= 1
            self._product.step()
            if self._chance.random() < 0.1:
                self._stop.set()


class SimulatedTables:
    """Stands for ``ReadModel``: the rule of versions, without the time that DuckDB takes."""

    def __init__(self) -> None:
        self.finished = False
        self.newest_state: datetime | None = None
        self._positions: dict[tuple[str, int], int] = {}
        self._rows: dict[tuple[str, str], Row] = {}

    def finish(self) -> None:
        self.finished = True

    def positions(self, topics: Iterable[str]) -> Positions:
        return {at: offset for at, offset in self._positions.items() if at[0] in topics}

    def apply(
        self, changes: Iterable[Change], positions: Positions, newest_state: datetime | None = None
    ) -> None:
        for table, key, row in changes:
            known = self._rows.get((table, key))
            if row is None:
                self._rows.pop((table, key), None)
            elif known is None or row["version"] > known["version"]:
                self._rows[table, key] = row
        self._positions |= positions
        if newest_state is not None:
            self.newest_state = max(self.newest_state or newest_state, newest_state)

    def titles(self, topic: str) -> dict[str, str]:
        """Customers with their title in the table of a topic."""
        found = {key: row for (table, key), row in self._rows.items() if table == TABLES[topic]}
        return {
            key: row.get("title") or row.get("name") or ""
            for key, row in found.items()
            if not row.get("deleted") and (topic != NEXT_STATE or row["interaction_id"] is not None)
        }


def test_no_change_is_missed() -> None:
    for seed in range(scaled(5000)):
        _simulate(seed)


def _simulate(seed: int) -> None:
    chance, stop = random.Random(seed), threading.Event()
    product = Product(chance)
    for _ in range(chance.randint(0, 8)):
        product.step()
    topics, tables = SimulatedTopics(product, chance, stop), SimulatedTables()
    reader = Reader(cast("ReadModel", tables), cast("Topics", topics), 3, stop)
    while not tables.finished:
        with contextlib.suppress(Stopped):
            reader.bootstrap(timedelta(0))
        stop.clear()
    topics.steps = 0
    reader.read(FOLLOWED)
    assert tables.titles(INTERACTION_STATE) == product.titles, seed
    assert tables.titles(NEXT_STATE) == product.titles, seed
