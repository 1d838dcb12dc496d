"""Schemas in a real registry: registered once, kept compatible, fetched by id."""

from __future__ import annotations

import copy
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from runtime import schema_registration as schemas_registration
from runtime.registry import make_registry
from runtime.registry_fetch import make_fetch
from runtime.schema_registration import COMPATIBILITY, known_ids, register_schemas
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder, AvroEncoder
from schemas.avro_schemas import GOLDEN, RECORDS, avro_schemas, subject
from schemas.errors import Reject, Retry, Stop
from schemas.topics import COMMANDS, EVENTS
from tests.contract.avro_values import completed, sample

CREATE = "customers.interaction.create"
UPDATED = "customers.interaction.updated"


@pytest.fixture
def bare_settings(embedded_stack: Settings) -> Settings:
    """An unused topic prefix, and so unused subjects."""
    return embedded_stack.model_copy(update={"topic_prefix": f"t{uuid.uuid4().hex[:12]}."})


def _nowhere(settings: Settings) -> Settings:
    return settings.model_copy(update={"schema_registry_url": "http://127.0.0.1:1"})


def changed(name: str, field: dict[str, Any]) -> dict[str, Any]:
    schema = copy.deepcopy(avro_schemas()[name])
    schema["fields"].append(field)
    return schema


def test_registering_again_and_at_once_gives_the_same_ids(bare_settings: Settings) -> None:
    with pytest.raises(Stop, match=r"interactions topics --create"):
        known_ids(bare_settings)
    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(lambda _: register_schemas(bare_settings), range(3))
    assert others == [first, first]
    assert first.keys() == avro_schemas().keys()
    assert known_ids(bare_settings) == first
    registry = make_registry(bare_settings)
    for topic, records in RECORDS.items():
        for name in records:
            wanted = subject(bare_settings.topic(topic), name)
            assert registry.get_compatibility(wanted) == COMPATIBILITY
            # Processes that register concurrently may add the same schema twice: it still has one id.
            versions = registry.get_versions(wanted)
            found = {registry.get_version(wanted, number).schema_id for number in versions}
            assert found == {first[name]}


def test_an_incompatible_change_is_refused_by_name(
    bare_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_schemas(bare_settings)
    required = changed(UPDATED, {"name": "channel", "type": "string"})
    monkeypatch.setattr(schemas_registration, "avro_schema", {**avro_schemas(), UPDATED: required}.get)
    wanted = subject(bare_settings.topic(EVENTS), UPDATED)
    with pytest.raises(Stop, match=f"refused the schema of subject {wanted}"):
        register_schemas(bare_settings)


def test_a_compatible_change_is_a_new_version_and_both_can_start(
    bare_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = register_schemas(bare_settings)
    optional = changed(UPDATED, {"name": "channel", "type": ["null", "string"], "default": None})
    with monkeypatch.context() as newer:
        newer.setattr(schemas_registration, "avro_schema", {**avro_schemas(), UPDATED: optional}.get)
        after = register_schemas(bare_settings)
    assert {name for name in before if before[name] != after[name]} == {UPDATED}
    assert make_registry(bare_settings).get_versions(subject(bare_settings.topic(EVENTS), UPDATED)) == [1, 2]
    # A process of the older version still finds the ids that it writes with.
    assert known_ids(bare_settings) == before


def test_what_one_process_writes_another_reads(fresh_settings: Settings) -> None:
    encoder = AvroEncoder(known_ids(fresh_settings))
    decoder = AvroDecoder(make_fetch(fresh_settings), text_instants=True)
    for name, schema in avro_schemas().items():
        value = sample(schema, full=True)
        assert decoder.decode(encoder.encode(name, value)) == (name, completed(schema, value))


def test_a_publishers_own_serializer_is_understood(fresh_settings: Settings) -> None:
    """Confluent's serializer with the TopicRecordName strategy, as used by a Python publisher."""
    serializer = AvroSerializer(
        make_registry(fresh_settings),
        (GOLDEN / f"{CREATE}.avsc").read_text(encoding="utf-8"),
        conf={
            "auto.register.schemas": False,
            "subject.name.strategy": lambda context, name: f"{context.topic}-{name}",
        },
    )
    context = SerializationContext(fresh_settings.topic(COMMANDS), MessageField.VALUE)
    interaction = str(uuid.uuid4())
    value = serializer({"id": interaction, "interactionType": "call"}, context)
    assert value is not None
    name, members = AvroDecoder(make_fetch(fresh_settings)).decode_command(value)
    assert (name, members["id"], members["interactionType"]) == (CREATE, interaction, "call")


def test_an_unknown_id_is_rejected_and_an_unreachable_registry_retried(fresh_settings: Settings) -> None:
    for unknown in (2**31 - 1, 2**32 - 1):
        value = b"\x00" + unknown.to_bytes(4, "big") + b"\x00"
        with pytest.raises(Reject) as caught:
            AvroDecoder(make_fetch(fresh_settings)).decode(value)
        assert caught.value.code == "unknown_schema_id"
        with pytest.raises(Retry, match="registry is unavailable"):
            AvroDecoder(make_fetch(_nowhere(fresh_settings))).decode(value)


def test_schemas_other_than_avro_are_rejected(bare_settings: Settings) -> None:
    registry = make_registry(bare_settings)
    schema_id = registry.register_schema(
        f"{bare_settings.topic_prefix}other",
        Schema('{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}', "JSON"),
    )
    with pytest.raises(Reject) as caught:
        AvroDecoder(make_fetch(bare_settings)).decode(b"\x00" + schema_id.to_bytes(4, "big") + b"\x00")
    assert caught.value.code == "unusable_schema"


def test_registration_is_retried_while_the_registry_is_unavailable(bare_settings: Settings) -> None:
    for question in (register_schemas, known_ids):
        with pytest.raises(Retry, match="registry is unavailable"):
            question(_nowhere(bare_settings))
