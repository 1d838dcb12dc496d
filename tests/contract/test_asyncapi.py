"""The AsyncAPI document: up to date, complete, and consistent with the topic catalogue."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from schemas.asyncapi import CONTRACT_VERSION, GOLDEN, document, render
from schemas.avro_schemas import RECORDS, avro_schemas
from schemas.integration_decisions import DECISION_TYPES
from schemas.integration_events import INTEGRATION_EVENT_TYPES, PREFIX
from schemas.topics import COMMANDS, INTEGRATION_DECISIONS, INTEGRATION_EVENTS, TOPICS

DOCUMENT: dict[str, Any] = orjson.loads(GOLDEN.read_bytes())


def _nodes(node: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        yield path, node
        for name, child in node.items():
            yield from _nodes(child, f"{path}/{name}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from _nodes(child, f"{path}/{number}")


def _resolve(reference: str) -> Any:
    node: Any = DOCUMENT
    assert reference.startswith("#/")
    for name in reference[2:].split("/"):
        node = node[name]
    return node


def test_golden_document_is_fresh() -> None:
    assert GOLDEN.read_text(encoding="utf-8") == render(), "run: python -m schemas.asyncapi --write"


def test_version_is_the_distributions() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == CONTRACT_VERSION


def test_required_members_are_there() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert {"channel", "messages"} <= operation.keys()


def test_every_reference_leads_somewhere() -> None:
    references = [node["$ref"] for _, node in _nodes(DOCUMENT) if "$ref" in node]
    assert len(references) > 100
    for reference in references:
        assert isinstance(_resolve(reference), dict)


def test_operations_use_messages_of_their_channel() -> None:
    """AsyncAPI 3.0, Operation Object: its messages must be references into its channel."""
    for operation in DOCUMENT["operations"].values():
        for part in filter(None, (operation, operation.get("reply"))):
            channel = part["channel"]["$ref"]
            assert part["messages"]
            for message in part["messages"]:
                assert message["$ref"].startswith(f"{channel}/messages/")


def test_channels_are_the_catalogue_with_its_settings() -> None:
    assert list(DOCUMENT["channels"]) == [topic.name for topic in TOPICS]
    for topic in TOPICS:
        kafka = DOCUMENT["channels"][topic.name]["bindings"]["kafka"]
        shown = {
            name: ",".join(value) if isinstance(value, list) else str(value)
            for name, value in kafka["topicConfiguration"].items()
        }
        assert shown == topic.config
        fixed = topic.partitions if isinstance(topic.partitions, int) else None
        assert kafka.get("partitions") == fixed


def test_every_record_is_a_message_with_payload_and_headers() -> None:
    messages = DOCUMENT["components"]["messages"]
    assert messages.keys() == avro_schemas().keys() | INTEGRATION_EVENT_TYPES.keys() | DECISION_TYPES.keys()
    for name, message in messages.items():
        assert message["name"] == name
        assert _resolve(message["payload"]["$ref"])["type"] == "object"
        headers = _resolve(message["traits"][0]["$ref"])["headers"]
        assert set(headers["required"]) <= headers["properties"].keys()


def test_a_command_is_answered_on_the_results_channel() -> None:
    commands = DOCUMENT["operations"]["receive:customers.interactions.commands"]
    answers = [_resolve(message["$ref"])["$ref"] for message in commands["reply"]["messages"]]
    assert answers == ["#/components/messages/customers.interaction.result"]
    assert len(commands["messages"]) == len(RECORDS["customers.interactions.commands"])


def test_what_is_asked_is_received_and_answered() -> None:
    received = {name for name, o in DOCUMENT["operations"].items() if o["action"] == "receive"}
    assert received == {f"receive:{COMMANDS}", f"receive:{INTEGRATION_DECISIONS}"}
    decisions = DOCUMENT["operations"][f"receive:{INTEGRATION_DECISIONS}"]
    answers = [_resolve(message["$ref"])["$ref"] for message in decisions["reply"]["messages"]]
    assert answers == [f"#/components/messages/{PREFIX}{kind}" for kind in ("decided", "changed")]


def test_events_of_integrations_are_avro_and_may_be_of_no_customer() -> None:
    channel = DOCUMENT["channels"][INTEGRATION_EVENTS]
    assert channel["messages"].keys() == INTEGRATION_EVENT_TYPES.keys()
    for reference in channel["messages"].values():
        message = _resolve(reference["$ref"])
        assert message["contentType"] == "application/avro"
        assert message["bindings"]["kafka"]["schemaIdLocation"] == "payload"
        headers = _resolve(message["traits"][0]["$ref"])["headers"]
        assert "ce_entityid" not in headers["required"]
        assert {"ce_type", "ce_tenantid", "ce_organizationid"} <= set(headers["required"])
    payload = _resolve(_resolve(channel["messages"][f"{PREFIX}mapping_changed"]["$ref"])["payload"]["$ref"])
    assert payload["required"] == ["integrationId", "provider", "interactionId", "invalidates"]


def test_no_name_occurs_twice() -> None:
    names = [name for records in RECORDS.values() for name in records] + [*DECISION_TYPES]
    assert len(names) == len(set(names)) == len(document()["components"]["messages"])
