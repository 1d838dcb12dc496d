"""The pipeline on real servers: one outcome and one effect per command; state topics match events."""

from __future__ import annotations

import orjson
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import EVENTS, INTERACTION_STATE, NEXT_INTERACTION_STATE, RESULTS
from streams.lag import lag_by_role
from tests.harness.audit import assert_clean
from tests.harness.histories import history
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import ORGANIZATION, Raw, event, new_id, outcomes, publish, wait_for_results

pytestmark = pytest.mark.integration


def test_the_lifecycle_of_one_interaction(pipeline: Settings) -> None:
    entity, interaction = new_id(), new_id()
    upsert = event("entity.upsert", entity, {"id": entity, "kind": "company", "displayName": "Acme"})
    create = event(
        "interaction.create",
        entity,
        {"id": interaction, "interactionType": "Follow-up call", "scheduledAt": "2027-01-04T09:00:00+01:00"},
    )
    complete = event("interaction.complete", entity, {"id": interaction})
    undo = event("interaction.undo", entity, {"commandId": complete["id"]})
    dry = event("interaction.delete", entity, {"id": interaction, "validateOnly": True})
    results = outcomes(pipeline, [upsert, create, complete, undo, dry, create])
    assert [result["outcome"] for result in results] == [
        "applied",
        "applied",
        "applied",
        "applied",
        "applied",
        "duplicate",
    ]
    assert results[1]["nextInteraction"]["at"] == "2027-01-04T08:00:00.000000Z"
    assert results[2]["nextInteraction"] is None
    assert results[3]["nextInteraction"]["interactionId"] == interaction
    assert results[4]["validateOnly"]
    assert results[4]["undoToken"] is None
    kinds = [r.headers["ce_type"] for r in _events_of(pipeline, entity, expected=6)]
    assert kinds == [
        "customers.interaction.created",
        "customers.next_interaction.updated",
        "customers.interaction.completed",
        "customers.next_interaction.updated",
        "customers.interaction.reverted",
        "customers.next_interaction.updated",
    ]
    undo_create = event("interaction.undo", entity, {"undoToken": results[1]["undoToken"]})
    (refused,) = outcomes(pipeline, [undo_create])
    assert refused["problem"]["code"] == "undo_unsafe"
    outcomes(pipeline, [event("interaction.delete", entity, {"id": interaction})])
    _events_of(pipeline, entity, expected=8)
    # A deleted interaction leaves a tombstone.
    _ends_with_a_tombstone(pipeline, INTERACTION_STATE, interaction)
    _ends_with_a_tombstone(pipeline, NEXT_INTERACTION_STATE, entity)


def _ends_with_a_tombstone(settings: Settings, topic: str, key: str) -> None:
    def shown() -> bool:
        states = [r for r in read_topic(settings, topic) if r.key == key.encode()]
        return bool(states) and states[-1].value is None

    wait_until(shown, 10, lambda: f"the tombstone of {key} in {topic}")


def _events_of(settings: Settings, entity: str, expected: int) -> list:  # type: ignore[type-arg]
    found: list = []  # type: ignore[type-arg]

    def arrived() -> bool:
        found[:] = [
            r
            for r in read_topic(settings, EVENTS)
            if r.key == entity.encode() and not r.headers["ce_type"].startswith("customers.entity.")
        ]
        return len(found) >= expected

    wait_until(arrived, 30, lambda: f"{expected} events, saw {len(found)}")
    assert len(found) == expected
    return found


def test_binary_mode_and_plural_aliases(pipeline: Settings) -> None:
    entity = new_id()
    shared = {
        "ce_specversion": "1.0",
        "ce_source": "/tests",
        "ce_tenantid": "11111111-1111-4111-8111-111111111111",
        "ce_organizationid": ORGANIZATION,
        "ce_entityid": entity,
        "content-type": "application/json",
    }

    def binary(kind: str, data: dict[str, object]) -> Raw:
        headers = {**shared, "ce_id": new_id(), "ce_type": kind}
        return Raw(
            entity.encode(),
            orjson.dumps(data),
            tuple((name, value.encode()) for name, value in headers.items()),
        )

    results = outcomes(
        pipeline,
        [
            binary("customers.entity.upsert", {"id": entity, "kind": "person", "displayName": "A"}),
            binary("customers.interactions.create", {"interactionType": "call", "_syncOrigin": "trello"}),
        ],
    )
    assert [result["outcome"] for result in results] == ["applied", "applied"]
    created = _events_of(pipeline, entity, expected=1)[0]
    assert created.headers["ce_syncorigin"] == "trello"
    assert created.headers["ce_causationid"] == results[1]["commandId"]


def test_a_customer_whose_commands_arrive_in_two_partitions(pipeline: Settings) -> None:
    """Publishers with different partitioners: the entity's row lock keeps effects and events in order."""
    entity = new_id()
    publish(pipeline, [event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})])
    wait_until(lambda: _count(pipeline, "customer_entities", entity) == 1, 30)
    messages = [
        Raw(
            entity.encode(),
            orjson.dumps(
                event(
                    "interaction.create",
                    entity,
                    {"interactionType": "call", "scheduledAt": "2027-01-04T09:00:00Z"},
                )
            ),
            partition=number % 2,
        )
        for number in range(400)
    ]
    results = wait_for_results(pipeline, publish(pipeline, messages))
    assert {record.headers["ce_outcome"] for record in results} == {"applied"}

    def created() -> list[str]:
        events = [r for r in read_topic(pipeline, EVENTS) if r.key == entity.encode()]
        sequences = [r.headers["ce_sequence"] for r in events]
        assert sequences == sorted(set(sequences))
        return [
            r.headers["ce_subject"] for r in events if r.headers["ce_type"] == "customers.interaction.created"
        ]

    wait_until(lambda: len(created()) >= 400, 30)
    assert len(set(created())) == len(created()) == 400


def _count(settings: Settings, table: str, entity: str) -> int:
    column = "id" if table == "customer_entities" else "entity_id"
    with connect(settings, application_name="test") as connection:
        row = connection.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s", (entity,)).fetchone()
    assert row is not None
    return int(row[0])


def test_a_new_label_reaches_every_projection(pipeline: Settings) -> None:
    organization = new_id()
    entities = [new_id() for _ in range(30)]
    messages = []
    for entity in entities:
        messages.append(
            event(
                "entity.upsert",
                entity,
                {"id": entity, "kind": "person", "displayName": "A"},
                organization=organization,
            )
        )
        messages.append(
            event(
                "interaction.create",
                entity,
                {"interactionType": "call", "scheduledAt": "2027-01-04T09:00:00Z"},
                organization=organization,
            )
        )
    outcomes(pipeline, messages)
    relabel = event(
        "interaction_type.upsert",
        organization,
        {"interactionType": "call", "label": "Ring back", "color": "#112233"},
        organization=organization,
    )
    assert outcomes(pipeline, [relabel])[0]["outcome"] == "applied"

    def renamed() -> bool:
        with connect(pipeline, application_name="test") as connection:
            rows = connection.execute(
                "SELECT DISTINCT next_interaction_name, next_interaction_color FROM customer_entities"
                " WHERE organization_id = %s",
                (organization,),
            ).fetchall()
        return rows == [("Ring back", "#112233")]

    wait_until(renamed, 30)


def test_strict_dictionary(pipeline: Settings) -> None:
    organization, entity = new_id(), new_id()
    scope = {"organization": organization}
    create = event("interaction.create", entity, {"interactionType": "Seance"}, **scope)
    known = event("interaction.create", entity, {"interactionType": "call"}, **scope)
    results = outcomes(
        pipeline,
        [event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}, **scope)],
    )
    assert results[0]["outcome"] == "applied"
    close = event(
        "interaction_type.upsert", organization, {"interactionType": "call", "strict": True}, **scope
    )
    assert outcomes(pipeline, [close])[0]["outcome"] == "applied"
    refused, applied = outcomes(pipeline, [create, known])
    assert refused["problem"]["code"] == "unknown_interaction_type"
    assert applied["outcome"] == "applied"


def test_history_is_clean_and_replaying_it_changes_nothing(fresh_settings: Settings) -> None:
    messages = list(history(seed=42, commands=3000, entities=100))
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        wait_for_results(fresh_settings, publish(fresh_settings, messages))
        assert_clean(fresh_settings)
        before = _fingerprint(fresh_settings)
        again = wait_for_results(fresh_settings, publish(fresh_settings, messages))
        assert {r.headers["ce_outcome"] for r in again} == {"duplicate"}
        assert _fingerprint(fresh_settings) == before
        assert_clean(fresh_settings)
        at_rest = {"applier": 0, "relay": 0, "timers": 0, "watch": None}
        wait_until(
            lambda: lag_by_role(fresh_settings) == at_rest, 20, lambda: str(lag_by_role(fresh_settings))
        )
    assert len(read_topic(fresh_settings, RESULTS)) == 2 * len(messages) + _relabels(fresh_settings)


def _relabels(settings: Settings) -> int:
    with connect(settings, application_name="test") as connection:
        row = connection.execute(
            "SELECT coalesce(sum(json_array_length(facts -> 'relabeled')), 0) FROM journal"
        ).fetchone()
    assert row is not None
    return int(row[0])


def _fingerprint(settings: Settings) -> list[tuple[object, ...]]:
    with connect(settings, application_name="test") as connection:
        return [
            connection.execute(
                f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
            ).fetchone()
            or ()
            for table in ("customer_interactions", "customer_entities", "journal")
        ]
