"""Bad input: every record gets one outcome, undecodable ones a dead letter; valid ones are applied."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import COMMANDS, DEAD_LETTERS
from tests.harness.audit import assert_clean
from tests.harness.raw_header import publish_raw_header
from tests.harness.roles import running
from tests.harness.topic_reader import read_topic
from tests.harness.wire import (
    ORGANIZATION,
    TENANT,
    Raw,
    decoder,
    event,
    new_id,
    outcomes,
    publish,
    wait_for_results,
)

pytestmark = pytest.mark.integration


def _entity(entity_id: str, **attributes: Any) -> dict[str, Any]:
    return event(
        "entity.upsert", entity_id, {"id": entity_id, "kind": "person", "displayName": "A"}, **attributes
    )


def _create(entity_id: str, **data: Any) -> dict[str, Any]:
    return event("interaction.create", entity_id, {"interactionType": "call", **data})


def _problem(pipeline: Settings, bad: dict[str, Any] | Raw, entity_id: str) -> dict[str, Any]:
    """Send a bad record between two valid ones; all get a result, the valid ones are applied."""
    before, result, after = outcomes(pipeline, [_entity(entity_id), bad, _create(entity_id)])
    assert before["outcome"] in ("applied", "no_op")
    assert after["outcome"] == "applied"
    assert result["outcome"] == "rejected"
    problem: dict[str, Any] = result["problem"]
    assert problem["status"] >= 400
    assert problem["detail"]
    return problem


@pytest.mark.parametrize("name", ["tenantid", "organizationid", "entityid"])
def test_a_scope_id_with_a_line_feed_among_many_good_ones(pipeline: Settings, name: str) -> None:
    """Larger batches are stored with COPY, where a line feed ends a row."""
    entity_id = new_id()
    bad = _create(entity_id)
    bad[name] += "\n"
    raw = Raw(entity_id.encode(), orjson.dumps(bad))
    good = [_create(entity_id) for _ in range(30)]
    results = outcomes(pipeline, [_entity(entity_id), *good[:15], raw, *good[15:]])
    assert [n for n, result in enumerate(results) if result["outcome"] != "applied"] == [16]
    assert results[16]["problem"]["code"] == "invalid_attribute"
    assert len(_letters(pipeline, raw.value)) == 1


def test_a_header_name_that_is_not_utf8(pipeline: Settings) -> None:
    entity_id = new_id()
    bad = _create(entity_id)
    place = publish_raw_header(pipeline, entity_id.encode(), orjson.dumps(bad), b"\xff\xfe-own-name")
    (record,) = wait_for_results(pipeline, [place])
    _, result = decoder(pipeline).decode(record.value or b"")
    assert (result["outcome"], result["problem"]["code"]) == ("rejected", "undecodable")
    assert result["commandId"] == bad["id"], "what can be read of it is in its answer"
    (dead_letter,) = _letters(pipeline, orjson.dumps(bad))
    assert (dead_letter.key, dead_letter.headers["dl_left_out"]) == (entity_id.encode(), "headers")


def test_a_replay_count_of_five_thousand_digits(pipeline: Settings) -> None:
    entity_id = new_id()
    bad = Raw(entity_id.encode(), b"not json " + entity_id.encode(), (("dl_replay_count", b"9" * 5000),))
    assert _problem(pipeline, bad, entity_id)["code"] == "undecodable"
    assert _letters(pipeline, bad.value)[0].headers["dl_attempt"] == "1"


@pytest.mark.parametrize(
    ("size", "compression", "code", "kept"),
    [
        (999_850, "none", "undecodable", True),
        (3_000_000, "gzip", "undecodable", True),
        (30_000_000, "gzip", "too_large", False),
    ],
)
def test_a_large_record(pipeline: Settings, size: int, compression: str, code: str, kept: bool) -> None:
    entity_id = new_id()
    value = entity_id.encode().ljust(size, b"x")
    larger = pipeline.model_copy(
        update={"kafka_options": {"message.max.bytes": 50_000_000, "compression.type": compression}}
    )
    ((partition, offset),) = places = publish(larger, [Raw(entity_id.encode(), value)])
    good = publish(pipeline, [_entity(entity_id)])
    record, after = wait_for_results(pipeline, [*places, *good])
    assert after.headers["ce_outcome"] == "applied"
    _, result = decoder(pipeline).decode(record.value or b"")
    assert (result["outcome"], result["problem"]["code"]) == ("rejected", code)
    (dead_letter,) = [
        dead_letter
        for dead_letter in read_topic(pipeline, DEAD_LETTERS)
        if (dead_letter.headers["dl_partition"], dead_letter.headers["dl_offset"])
        == (str(partition), str(offset))
    ]
    assert dead_letter.key == entity_id.encode()
    assert dead_letter.value == (value if kept else None)
    assert dead_letter.headers.get("dl_value_bytes") == (None if kept else str(size))


def _letters(settings: Settings, value: bytes | None) -> list[Any]:
    return [dead_letter for dead_letter in read_topic(settings, DEAD_LETTERS) if dead_letter.value == value]


@pytest.mark.parametrize(
    "value",
    [b"\xff\xfe\x00garbage", b"", b"[1, 2]", b"{", b'"text"', b"\x00\x00", None],
    ids=["bytes", "empty", "list", "cut-json", "text", "short-avro", "tombstone"],
)
def test_undecodable_value(pipeline: Settings, value: bytes | None) -> None:
    entity_id = new_id()
    headers = (("x-mine", b"\x00\xff"), ("ce_id", b"some-id")) if value != b"\x00\x00" else ()
    bad = Raw(entity_id.encode(), value, headers)
    problem = _problem(pipeline, bad, entity_id)
    assert problem["code"] in ("undecodable", "missing_attribute")
    mine = [dead_letter for dead_letter in _letters(pipeline, value) if dead_letter.key == entity_id.encode()]
    assert len(mine) == 1
    assert mine[0].headers["dl_reason"]
    assert mine[0].headers["dl_attempt"] == "1"


def test_dead_letter_keeps_key_value_and_headers_byte_for_byte(pipeline: Settings) -> None:
    key, value = b"\x01not-utf8\xff", b"\x80\x81 not json"
    headers = (("trace", b"\x00\x01\xfe"), ("trace", b"twice"))
    ((partition, offset),) = publish(pipeline, [Raw(key, value, headers)])
    wait_for_results(pipeline, [(partition, offset)])
    (dead_letter,) = _letters(pipeline, value)
    assert dead_letter.key == key
    assert dead_letter.headers["dl_partition"] == str(partition)
    assert dead_letter.headers["dl_offset"] == str(offset)
    assert dead_letter.headers["dl_topic"].endswith("customers.interactions.commands")
    assert dead_letter.headers["dl_error_class"] == "undecodable"


def test_wrong_schema_id(pipeline: Settings) -> None:
    entity_id = new_id()
    headers = tuple(
        (f"ce_{name}", value.encode()) for name, value in _create(entity_id).items() if isinstance(value, str)
    )
    bad = Raw(entity_id.encode(), b"\x00\x7f\xff\xff\x00rest", headers)
    assert _problem(pipeline, bad, entity_id)["code"] == "unknown_schema_id"
    assert len(_letters(pipeline, bad.value)) == 1


@pytest.mark.parametrize("name", ["tenantid", "organizationid", "entityid", "id", "source", "type"])
def test_missing_attribute(pipeline: Settings, name: str) -> None:
    entity_id = new_id()
    bad = _create(entity_id)
    del bad[name]
    raw = Raw(entity_id.encode(), orjson.dumps(bad))
    problem = _problem(pipeline, raw, entity_id)
    assert problem["code"] == "missing_attribute"
    assert problem["errors"][0]["attribute"] == name
    assert len(_letters(pipeline, raw.value)) == 1


def test_unknown_type(pipeline: Settings) -> None:
    entity_id = new_id()
    problem = _problem(pipeline, event("interaction.explode", entity_id, {}), entity_id)
    assert problem["code"] == "unknown_type"


@pytest.mark.parametrize(
    ("data", "pointer", "code"),
    [
        ({"colour": "red"}, "/colour", "unknown_field"),
        ({"title": "x" * 501}, "/title", "too_long"),
        ({"body": "x" * 10_001}, "/body", "too_long"),
        ({"interactionType": "x" * 101}, "/interactionType", "too_long"),
        ({"title": "a\x00b"}, "/title", "invalid_value"),
        ({"body": "\x00"}, "/body", "invalid_value"),
        ({"scheduledAt": "9999-12-31T23:59:59Z"}, "/scheduledAt", "invalid_value"),
        ({"scheduledAt": "0001-01-01T00:00:00+14:00"}, "/scheduledAt", "invalid_value"),
        ({"scheduledAt": "2026-02-30T09:00:00Z"}, "/scheduledAt", "invalid_value"),
        ({"scheduledAt": "2026-03-01T09:00:00"}, "/scheduledAt", "invalid_value"),
        ({"scheduledAt": 1772355600}, "/scheduledAt", "invalid_value"),
        ({"priority": 101}, "/priority", "out_of_range"),
        ({"priority": True}, "/priority", "invalid_type"),
        ({"appearanceColor": "red"}, "/appearanceColor", "invalid_format"),
        ({"ownerUserId": "me"}, "/ownerUserId", "invalid_format"),
        ({"status": "someday"}, "/status", "invalid_value"),
    ],
)
def test_invalid_field(pipeline: Settings, data: dict[str, Any], pointer: str, code: str) -> None:
    entity_id = new_id()
    problem = _problem(pipeline, _create(entity_id, **data), entity_id)
    assert problem["code"] == "validation_failed"
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [(pointer, code)]
    assert not any(str(value) in str(problem) for value in data.values() if len(str(value)) > 4)


def test_source_timestamp_in_the_future(pipeline: Settings) -> None:
    entity_id = new_id()
    bad = _create(entity_id, sourceTimestamp="2150-01-01T00:00:00Z")
    assert _problem(pipeline, bad, entity_id)["code"] == "source_timestamp_in_future"


def test_key_is_not_the_entity(pipeline: Settings) -> None:
    entity_id = new_id()
    raw = Raw(new_id().encode(), orjson.dumps(_create(entity_id)))
    assert _problem(pipeline, raw, entity_id)["code"] == "key_mismatch"


def test_foreign_tenant_learns_nothing(pipeline: Settings) -> None:
    entity_id, interaction_id, other = new_id(), new_id(), new_id()
    assert [
        r["outcome"] for r in outcomes(pipeline, [_entity(entity_id), _create(entity_id, id=interaction_id)])
    ] == [
        "applied",
        "applied",
    ]
    for scope in ({"tenant": other}, {"organization": other}):
        foreign = [
            event("interaction.update", entity_id, {"id": interaction_id, "title": "mine"}, **scope),
            event("interaction.delete", entity_id, {"id": interaction_id}, **scope),
            event("interaction.create", entity_id, {"interactionType": "call"}, **scope),
        ]
        unknown_entity = new_id()
        unknown = [
            event("interaction.update", unknown_entity, {"id": new_id(), "title": "mine"}, **scope),
            event("interaction.delete", unknown_entity, {"id": new_id()}, **scope),
            event("interaction.create", unknown_entity, {"interactionType": "call"}, **scope),
        ]
        for mine, nobodys in zip(outcomes(pipeline, foreign), outcomes(pipeline, unknown), strict=True):
            assert mine["outcome"] == nobodys["outcome"] == "rejected"
            assert mine["problem"] == nobodys["problem"]
    with connect(pipeline, application_name="test") as connection:
        row = connection.execute(
            "SELECT tenant_id::text, organization_id::text, title FROM customer_interactions WHERE id = %s",
            (interaction_id,),
        ).fetchone()
    assert row == (TENANT, ORGANIZATION, None)


def test_same_id_with_other_content(pipeline: Settings) -> None:
    entity_id, command_id = new_id(), new_id()
    first = event("interaction.create", entity_id, {"interactionType": "call"}, command_id=command_id)
    other = event("interaction.create", entity_id, {"interactionType": "email"}, command_id=command_id)
    results = outcomes(pipeline, [_entity(entity_id), first, other, first])
    assert [result["outcome"] for result in results] == ["applied", "applied", "rejected", "duplicate"]
    assert results[2]["problem"]["code"] == "idempotency_conflict"
    assert results[3]["first"]["interactionId"] == results[1]["interactionId"]


def test_update_of_unknown_creates_nothing_and_is_logged(fresh_settings: Settings) -> None:
    entity_id, unknown = new_id(), new_id()
    update = event("interaction.update", entity_id, {"id": unknown, "title": "very private words"})
    with running(fresh_settings, "applier") as applier:
        assert _problem(fresh_settings, update, entity_id)["code"] == "interaction_not_found"
        applier.wait_for_log("applier.update_of_unknown")
        assert update["id"] in applier.log
        assert "very private words" not in applier.log
    with connect(fresh_settings, application_name="test") as connection:
        assert connection.execute(
            "SELECT count(*) FROM customer_interactions WHERE id = %s", (unknown,)
        ).fetchone() == (0,)


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_as_many_poison_records_as_good_ones(pipeline: Settings, count: int) -> None:
    entities = [new_id() for _ in range(100)]
    messages: list[dict[str, Any] | Raw] = [_entity(entity_id) for entity_id in entities]
    for number in range(count):
        entity_id = entities[number % len(entities)]
        messages.append(_create(entity_id, scheduledAt="2027-01-04T09:00:00Z", priority=number % 100))
        poison: list[dict[str, Any] | Raw] = [
            Raw(entity_id.encode(), b"\xfe poison %d" % number),
            _create(entity_id, nonsense=number),
            event("interaction.complete", entity_id, {"id": new_id()}),
        ]
        messages.append(poison[number % 3])
    places = publish(pipeline, messages)
    decode = decoder(pipeline)
    results = [decode.decode(record.value or b"")[1] for record in wait_for_results(pipeline, places, 240)]
    good = [*results[:100], *results[100::2]]
    assert {result["outcome"] for result in good} == {"applied"}
    assert {result["outcome"] for result in results[101::2]} == {"rejected"}
    poisoned = {
        record.value
        for record in read_topic(pipeline, DEAD_LETTERS)
        if (record.value or b"")[:8] == b"\xfe poison"
    }
    assert len(poisoned) == len(range(0, count, 3))
    with connect(pipeline, application_name="test") as connection:
        counted = connection.execute(
            "SELECT count(*) FROM customer_interactions WHERE entity_id = ANY(%s::uuid[])", (entities,)
        ).fetchone()
    assert counted == (count,)


def test_the_strict_contract_from_end_to_end(fresh_settings: Settings) -> None:
    """Records that applier and auditor once read differently; the audit stays clean."""
    one = new_id()
    flag = event("interaction_type.upsert", ORGANIZATION, {"interactionType": "call", "actionable": "yes"})
    repeated = orjson.dumps(_create(one)).replace(
        b'{"interactionType"', b'{"title":"a","title":"b","interactionType"'
    )
    place = f"dead:{fresh_settings.topic(COMMANDS)}"
    messages: list[dict[str, Any] | Raw] = [
        _entity(one),
        {**_create(one), "validateonly": "1"},
        {**_create(one), "correlationid": None, "subject": None},
        flag,
        Raw(one.encode(), repeated),
        *(
            {**_create(one), "id": f"{place}:{partition}:{at}"}
            for partition in range(3)
            for at in range(8, 14)
        ),
        *(Raw(one.encode(), b"not JSON") for _ in range(20)),
        _create(one, interactionType="हिन्दी"),
        _create(one, interactionType="e\u2011mail", scheduledAt="2026-03-02T09:15:00z"),
        _create(one, scheduledAt="20260302T091500Z"),
        {**_create(one), "id": "é" * 200},
    ]
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        found = outcomes(fresh_settings, messages)
        undone = event("interaction.undo", one, {"undoToken": found[-1]["undoToken"]})
        assert outcomes(fresh_settings, [undone])[0]["outcome"] == "applied"
        assert_clean(fresh_settings)
    told = [(result["problem"] or {}).get("code", result["outcome"]) for result in found]
    assert told == [
        "applied", "invalid_attribute", "applied", "validation_failed", "duplicate_field",
        *["applied"] * 18, *["undecodable"] * 20, "applied", "applied", "validation_failed", "applied",
    ]  # fmt: skip
