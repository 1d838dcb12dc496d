"""The read model in examples/: the greatest version of each row wins, and a deletion stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.read_model import records as topics
from examples.read_model.records import TABLES, Change, Record, change_of
from examples.read_model.tables import ReadModel

ID, ENTITY = "4f1f9f4e-7a30-4a86-8a5f-3d2f1c9e0001", "5b1f9f4e-7a30-4a86-8a5f-3d2f1c9e0003"
SCOPE = {"tenantId": "t", "organizationId": "o"}
KIND = {
    topics.INTERACTION_STATE: "customers.interaction.state",
    topics.NEXT_STATE: "customers.next_interaction.state",
    topics.ENTITY_STATE: "customers.entity.state",
    topics.DEAL_STATE: "customers.deal.state",
    topics.TYPE_STATE: "customers.interaction_type.state",
}


@pytest.fixture(scope="module")
def shared() -> Iterator[ReadModel]:
    with ReadModel(":memory:") as made:
        yield made


@pytest.fixture
def model(shared: ReadModel) -> ReadModel:
    for table in (*TABLES.values(), "positions"):
        shared.database.execute(f"DELETE FROM {table}")
    return shared


def interaction(version: int) -> dict[str, Any]:
    return {"id": ID, "entityId": ENTITY, **SCOPE, "title": f"v{version}", "version": version}


def lifecycle_event(version: int, *, deletes: bool = False, kind: str = "updated") -> Record:
    value = {"id": ID, "version": version, "after": None if deletes else interaction(version)}
    name = f"customers.interaction.{'deleted' if deletes else kind}"
    return Record(topics.EVENTS, version, ENTITY, name, value)


def next_value(entity_version: int, name: str | None) -> dict[str, Any]:
    found = None if name is None else {"interactionId": ID, "at": None, "name": name}
    return {"id": ENTITY, "entityId": ENTITY, **SCOPE, "entityVersion": entity_version, "next": found}


def next_event(entity_version: int, name: str | None) -> Record:
    value = next_value(entity_version, name)
    return Record(topics.EVENTS, entity_version, ENTITY, "customers.next_interaction.updated", value)


def state(topic: str, key: str, value: dict[str, Any] | None, offset: int = 0) -> Record:
    return Record(topic, offset, key, KIND[topic], value)


def apply(model: ReadModel, *records: Record) -> None:
    model.apply([change for record in records if (change := change_of(record)) is not None], {})


def titles(model: ReadModel) -> list[str]:
    return [title for (title,) in model.database.execute("SELECT title FROM interactions").fetchall()]


def test_an_older_version_never_replaces_a_newer_one(model: ReadModel) -> None:
    apply(model, state(topics.INTERACTION_STATE, ID, interaction(3)))
    apply(model, lifecycle_event(2), lifecycle_event(3))
    assert titles(model) == ["v3"]
    apply(model, lifecycle_event(4))
    apply(model, state(topics.INTERACTION_STATE, ID, interaction(3)))
    assert titles(model) == ["v4"]


def test_a_deletion_stays_until_the_interaction_is_restored(model: ReadModel) -> None:
    apply(model, state(topics.INTERACTION_STATE, ID, interaction(3)))
    apply(model, lifecycle_event(4, deletes=True))
    apply(model, state(topics.INTERACTION_STATE, ID, interaction(3)), lifecycle_event(2))
    assert titles(model) == []
    apply(model, lifecycle_event(5, kind="created"))
    assert titles(model) == ["v5"]


def test_a_deletion_that_arrives_first_is_kept(model: ReadModel) -> None:
    apply(model, lifecycle_event(4, deletes=True))
    apply(model, state(topics.INTERACTION_STATE, ID, interaction(3)))
    assert titles(model) == []


def test_due_and_overdue_change_nothing(model: ReadModel) -> None:
    apply(model, lifecycle_event(1, kind="created"), lifecycle_event(1, kind="due"))
    apply(model, lifecycle_event(1, kind="overdue"))
    assert titles(model) == ["v1"]


def test_a_tombstone_removes_the_row_and_the_events_before_it_end_without_one(model: ReadModel) -> None:
    apply(model, state(topics.INTERACTION_STATE, ID, interaction(1)), lifecycle_event(2))
    apply(model, state(topics.INTERACTION_STATE, ID, None))
    assert titles(model) == []
    # Events from before the tombstone: the deletion is always among them.
    apply(model, lifecycle_event(2))
    apply(model, lifecycle_event(3, deletes=True))
    assert titles(model) == []


def test_the_next_interaction_follows_the_version_of_the_entity(model: ReadModel) -> None:
    def names() -> list[Any]:
        return model.database.execute("SELECT name FROM next_interactions").fetchall()

    apply(model, state(topics.NEXT_STATE, ENTITY, next_value(5, "Call")))
    apply(model, next_event(4, "Email"))
    assert names() == [("Call",)]
    apply(model, next_event(7, None))
    apply(model, next_event(6, "Email"))
    assert names() == []
    apply(model, next_event(8, "Visit"))
    assert names() == [("Visit",)]


def test_types_follow_the_offsets_of_their_topic(model: ReadModel) -> None:
    def entry(label: str) -> dict[str, Any]:
        return {"code": "call", "label": label, **SCOPE}

    key = "t/o/call"
    apply(model, state(topics.TYPE_STATE, key, entry("Ring back"), 7))
    apply(model, state(topics.TYPE_STATE, key, entry("Call"), 6))
    apply(model, Record(topics.EVENTS, 1, "o", "customers.interaction_type.updated", {"after": entry("Old")}))
    assert model.database.execute("SELECT code, label FROM interaction_types").fetchall() == [
        ("call", "Ring back")
    ]


def test_an_entity_has_its_last_interaction_and_its_version(model: ReadModel) -> None:
    value = {"id": ENTITY, **SCOPE, "displayName": "Acme", "entityVersion": 9, "next": None, "openCount": 2}
    last = {"interactionId": ID, "at": None, "name": "Call"}
    apply(model, state(topics.ENTITY_STATE, ENTITY, {**value, "last": last}))
    apply(model, state(topics.ENTITY_STATE, ENTITY, {**value, "entityVersion": 8, "last": None}))
    found = model.database.execute("SELECT version, last_interaction_id, last_name, open_count FROM entities")
    assert found.fetchall() == [(9, ID, "Call", 2)]


@pytest.mark.parametrize("topic", [topics.ENTITY_STATE, topics.DEAL_STATE])
def test_a_tombstone_of_a_followed_topic_removes_the_row(model: ReadModel, topic: str) -> None:
    value = {"id": ID, **SCOPE, "version": 1, "entityVersion": 1, "last": None}
    apply(model, state(topic, ID, value))
    assert model.database.table(TABLES[topic]).fetchall() != []
    apply(model, state(topic, ID, None))
    assert model.database.table(TABLES[topic]).fetchall() == []


@given(st.data())
def test_every_order_and_every_repetition_ends_in_the_greatest_version(
    shared: ReadModel, data: st.DataObject
) -> None:
    versions = range(1, data.draw(st.integers(1, 5)) + 1)
    deleted = {number for number in versions if data.draw(st.booleans())}
    history = [lifecycle_event(number, deletes=number in deleted) for number in versions]
    arriving = data.draw(st.permutations(history + history))
    split = data.draw(st.integers(0, len(arriving)))
    model = shared
    model.database.execute("DELETE FROM interaction_versions")
    apply(model, *arriving[:split])
    apply(model, *arriving[split:])
    assert titles(model) == ([] if versions[-1] in deleted else [f"v{versions[-1]}"])


def test_rows_and_offsets_are_stored_together(model: ReadModel) -> None:
    change = change_of(lifecycle_event(1))
    assert isinstance(change, Change)
    model.apply([change], {(topics.EVENTS, 2): 17})
    broken = Change(change.table, "other", {"id": "other", "version": 1, "deleted": None})
    with pytest.raises(duckdb.ConstraintException):
        model.apply([broken], {(topics.EVENTS, 2): 18})
    assert model.positions([topics.EVENTS]) == {(topics.EVENTS, 2): 17}
    assert titles(model) == ["v1"]


@pytest.mark.parametrize(("hours", "kept"), [(1, ["v1"]), (13, [])])
def test_a_bootstrap_that_waited_too_long_starts_over(tmp_path: Path, hours: int, kept: list[str]) -> None:
    file = str(tmp_path / "read-model.duckdb")
    with ReadModel(file) as model:
        apply(model, state(topics.INTERACTION_STATE, ID, interaction(1)))
        model.database.execute("UPDATE bootstrap SET started_at = now() - to_hours(?)", [hours])
    with ReadModel(file) as model:
        assert titles(model) == kept
        model.finish()
        model.database.execute("UPDATE bootstrap SET started_at = now() - to_hours(1000)")
    with ReadModel(file) as model:
        assert titles(model) == kept


def test_an_erased_customer_goes_with_everything(model: ReadModel) -> None:
    other = {**interaction(1), "id": ENTITY, "entityId": ID}
    kept = Record(topics.EVENTS, 1, ID, "customers.interaction.created", {**other, "after": other})
    deal = {"id": "d", "entityId": ENTITY, **SCOPE, "title": "Roof", "version": 1}
    customer = {"id": ENTITY, **SCOPE, "displayName": "Ada", "entityVersion": 3, "last": None}
    erased = Record(topics.EVENTS, 9, ENTITY, "customers.entity.erased", {"id": ENTITY})
    before = [
        kept,
        lifecycle_event(1, kind="created"),
        next_event(2, "Call"),
        Record(topics.DEAL_STATE, 0, "d", KIND[topics.DEAL_STATE], deal),
        Record(topics.ENTITY_STATE, 0, ENTITY, KIND[topics.ENTITY_STATE], customer),
    ]
    for batches in ([before, [erased]], [[*before, erased]]):
        for batch in batches:
            model.apply([change for record in batch if (change := change_of(record)) is not None], {})
        left = {
            table: model.database.table(table).count("*").fetchall()[0][0]
            for table in ("interaction_versions", "next_interaction_versions", "deals", "entities")
        }
        assert left == {
            "interaction_versions": 1,
            "next_interaction_versions": 0,
            "deals": 0,
            "entities": 0,
        }
