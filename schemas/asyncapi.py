"""AsyncAPI 3.0 document of the contract, generated from the topic catalogue and the models.

``python -m schemas.asyncapi --write`` rewrites ``docs/asyncapi.json`` after either has changed.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas import topics
from schemas.avro_schemas import RECORDS
from schemas.integration_decisions import DECISION_TYPES
from schemas.integration_events import PREFIX
from schemas.topics import TOPICS, Topic

Node = dict[str, Any]

GOLDEN: Final = Path(__file__).parent.parent / "docs" / "asyncapi.json"
#: Equal to the version of the distribution (checked by a test).
CONTRACT_VERSION: Final = "0.1.0"
_DESCRIPTION: Final = (
    "Commands in; exactly one result per command and ordered events out. Records are CloudEvents 1.0: the"
    " attributes are ce_* headers (binary mode), or the value of a command is one JSON CloudEvent (structured"
    " mode). Values are Avro in the Confluent wire format. Commands can also be JSON; decisions on"
    " integrations always are. The subject of a schema is <topic>-<message name> (TopicRecordNameStrategy),"
    " its compatibility FULL_TRANSITIVE."
)
_TEXT: Final[Node] = {"type": "string"}
_UUID: Final[Node] = {"type": "string", "format": "uuid"}
_HEADERS: Final[dict[str, Node]] = {
    "ce_specversion": {"type": "string", "enum": ["1.0"]},
    "ce_id": {"type": "string", "maxLength": 200, "description": "Id of the command or event."},
    "ce_source": {"type": "string", "description": "The system that wrote the record."},
    "ce_type": {"type": "string", "description": "The message name."},
    "ce_time": {"type": "string", "format": "date-time"},
    "ce_subject": _TEXT,
    "ce_tenantid": _UUID,
    "ce_organizationid": _UUID,
    "ce_entityid": {**_UUID, "description": "Id of the person or company; equal to the record key."},
    "ce_syncorigin": {"type": "string", "description": "Id of the integration that the change came from."},
    "ce_correlationid": _TEXT,
    "ce_causationid": {"type": "string", "description": "Id of the command that caused the record."},
    "ce_actorid": {"type": "string", "description": "Id of the user on whose behalf the record was written."},
    "ce_sequence": {"type": "string", "description": "Position among the events of one entity, as text."},
    "ce_expectedversion": {"type": "string", "pattern": "^[0-9]+$"},
    "ce_outcome": {"type": "string", "enum": ["applied", "rejected", "duplicate", "no_op"]},
    "ce_commandpartition": {
        "type": "string",
        "pattern": "^[0-9]+$",
        "description": "Of a result: partition of the command's record.",
    },
    "ce_commandoffset": {
        "type": "string",
        "pattern": "^[0-9]+$",
        "description": "Of a result: offset of the command's record.",
    },
    "traceparent": {"type": "string", "description": "W3C Trace Context."},
    "content-type": {"type": "string", "enum": ["application/avro", "application/json"]},
}
_REQUIRED: Final = (
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_tenantid",
    "ce_organizationid",
    "ce_entityid",
)
#: An event of an integration need not be about a customer.
_OF_INTEGRATIONS: Final = tuple(name for name in _REQUIRED if name != "ce_entityid")
_TRAITS: Final = {
    "cloudEvent": _REQUIRED,
    "integrationCloudEvent": _OF_INTEGRATIONS,
    "decisionCloudEvent": (*_OF_INTEGRATIONS, "ce_actorid", "ce_correlationid"),
}
_TRAIT_OF: Final = {
    topics.INTEGRATION_EVENTS: "integrationCloudEvent",
    topics.INTEGRATION_DECISIONS: "decisionCloudEvent",
}
#: Their records show rows as they are, not what one command did.
_WITHOUT_CAUSE: Final = frozenset(
    {
        topics.ENTITY_STATE,
        topics.DEAL_STATE,
        topics.TYPE_STATE,
        topics.INTEGRATION_EVENTS,
        topics.INTEGRITY_EVENTS,
    }
)
#: Topic name → (message name → model) of every value, Avro or JSON.
_VALUES: Final[dict[str, dict[str, type[BaseModel]]]] = {
    **RECORDS,
    topics.INTEGRATION_DECISIONS: dict(DECISION_TYPES),
}
#: Request topic → the topic of its replies, and the reply messages.
_REPLIES: Final[dict[str, tuple[str, list[str]]]] = {
    topics.COMMANDS: (topics.RESULTS, list(RECORDS[topics.RESULTS])),
    topics.INTEGRATION_DECISIONS: (topics.INTEGRATION_EVENTS, [f"{PREFIX}decided", f"{PREFIX}changed"]),
}


def document() -> Node:
    """Build the AsyncAPI 3.0 document; topic names are without a deployment's prefix."""
    models = sorted({model for records in _VALUES.values() for model in records.values()}, key=_name)
    _, definitions = models_json_schema(
        [(model, "validation") for model in models],
        by_alias=True,
        ref_template="#/components/schemas/{model}",
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Customer interactions",
            "version": CONTRACT_VERSION,
            "description": _DESCRIPTION,
        },
        "defaultContentType": "application/avro",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": _operations(),
        "components": {
            "messages": {
                name: _message(topic, name, model)
                for topic, records in _VALUES.items()
                for name, model in records.items()
            },
            "messageTraits": {
                name: {"headers": {"type": "object", "required": list(required), "properties": _HEADERS}}
                for name, required in _TRAITS.items()
            },
            "correlationIds": {
                "commandId": {"location": "$message.header#/ce_id"},
                "causedBy": {"location": "$message.header#/ce_causationid"},
            },
            "schemas": definitions["$defs"],
        },
    }


@cache
def current_document() -> Node:
    """The document of this code, built once and not to be changed."""
    return document()


def _name(model: type[BaseModel]) -> str:
    return model.__name__


def _ref(*path: str) -> Node:
    return {"$ref": "#/" + "/".join(path)}


def _channel(topic: Topic) -> Node:
    kafka: Node = {"topic": topic.name, "topicConfiguration": _configuration(topic)}
    if isinstance(topic.partitions, int):
        kafka["partitions"] = topic.partitions
    return {
        "address": topic.name,
        "description": f"Value: {topic.value}. Key: {topic.key}.",
        "messages": {name: _ref("components", "messages", name) for name in _VALUES.get(topic.name, {})},
        "bindings": {"kafka": {**kafka, "bindingVersion": "0.5.0"}},
    }


def _configuration(topic: Topic) -> Node:
    configuration: Node = {}
    for name, value in topic.config.items():
        if name == "cleanup.policy":
            configuration[name] = value.split(",")
        else:
            configuration[name] = int(value) if value.isdigit() else value
    return configuration


def _message(topic: str, name: str, model: type[BaseModel]) -> Node:
    shown: Node = {
        "name": name,
        "title": model.__name__,
        "summary": (model.__doc__ or "").strip().partition("\n")[0],
        "payload": _ref("components", "schemas", model.__name__),
    }
    key: Node = {
        "key": {"type": "string", "description": topics.BY_NAME[topic].key},
        "bindingVersion": "0.5.0",
    }
    traits = [_ref("components", "messageTraits", _TRAIT_OF.get(topic, "cloudEvent"))]
    if topic not in RECORDS:
        return {**shown, "contentType": "application/json", "traits": traits, "bindings": {"kafka": key}}
    command = topic == topics.COMMANDS
    cause = {"correlationId": _ref("components", "correlationIds", "commandId" if command else "causedBy")}
    return {
        **shown,
        "contentType": "application/json" if command else "application/avro",
        "traits": traits,
        **(cause if topic not in _WITHOUT_CAUSE else {}),
        "bindings": {
            "kafka": {
                **key,
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "TopicRecordNameStrategy",
            }
        },
    }


def _operations() -> Node:
    """One operation per channel, from the pipeline's side: it receives requests and sends everything else."""
    operations: Node = {}
    for topic, records in _VALUES.items():
        reply = _REPLIES.get(topic)
        receives = reply is not None
        operation: Node = {
            "action": "receive" if receives else "send",
            "channel": _ref("channels", topic),
            "summary": topics.BY_NAME[topic].value.capitalize() + ".",
            "messages": [_ref("channels", topic, "messages", name) for name in records],
        }
        if reply is not None:
            reply_topic, names = reply
            operation["reply"] = {
                "channel": _ref("channels", reply_topic),
                "messages": [_ref("channels", reply_topic, "messages", name) for name in names],
            }
        operations[f"{'receive' if receives else 'send'}:{topic}"] = operation
    return operations


def render() -> str:
    """Text of the golden file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m schemas.asyncapi --write")
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(render(), encoding="utf-8")
