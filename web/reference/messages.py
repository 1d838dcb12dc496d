"""The AsyncAPI document as messages by their topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from web.reference.schema_view import Field, Node, Table, field_of, first_sentence, prose, tables_of

#: Action of this system → what other systems do.
_DIRECTIONS: Final = {"receive": "write", "send": "read"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One kind of record."""

    name: str
    brief: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicView:
    """One topic.

    :param direction: ``write``: other systems write it; ``read``: they read it; ``None``: it is internal.
    :param configuration: configuration of the topic, as Kafka names it.
    """

    name: str
    about: Markup
    direction: str | None
    configuration: tuple[tuple[str, str], ...]
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message with everything that its page shows.

    :param reply: topic and message with which it is answered.
    """

    name: str
    topic: TopicView
    about: Markup
    media: str
    key: str
    reply: tuple[str, tuple[str, ...]] | None
    headers: tuple[Field, ...]
    payload: str
    tables: list[Table]


def topics_of(document: Node, search: str | None = None) -> list[TopicView]:
    """Topics in the order of the document; with a search text, those with a message that contains it."""
    found = [_topic(document, name, search) for name in document["channels"]]
    return [one for one in found if search is None or one.messages]


def message_of(document: Node, name: str) -> MessageView | None:
    """The message with this name."""
    node = document["components"]["messages"].get(name)
    channel = next((it for it, one in document["channels"].items() if name in one["messages"]), None)
    if node is None or channel is None:
        return None
    headers = _headers(document, node)
    required = headers.get("required", ())
    reply = (_operation(document, channel) or {}).get("reply")
    return MessageView(
        name=name,
        topic=_topic(document, channel, None),
        about=prose(node.get("summary", "")),
        media=node.get("contentType", document.get("defaultContentType", "")),
        key=node["bindings"]["kafka"]["key"].get("description", "string"),
        reply=reply and (_last(reply["channel"]), tuple(_last(one) for one in reply["messages"])),
        headers=tuple(
            field_of(name, one, required=name in required)
            for name, one in headers.get("properties", {}).items()
        ),
        payload=_last(node["payload"]),
        tables=tables_of(document["components"]["schemas"], [("", node["payload"])]),
    )


def _topic(document: Node, name: str, search: str | None) -> TopicView:
    node = document["channels"][name]
    operation = _operation(document, name)
    configuration: dict[str, Any] = node["bindings"]["kafka"].get("topicConfiguration", {})
    return TopicView(
        name=name,
        about=prose(operation["summary"] if operation else node.get("description", "")),
        direction=_DIRECTIONS[operation["action"]] if operation else None,
        configuration=tuple(
            (key, ", ".join(value) if isinstance(value, list) else str(value))
            for key, value in configuration.items()
        ),
        messages=tuple(
            Message(
                name=one, brief=first_sentence(document["components"]["messages"][one].get("summary", ""))
            )
            for one in node["messages"]
            if search is None or search.casefold() in _text(document, one)
        ),
    )


def _operation(document: Node, channel: str) -> Node | None:
    return next((one for one in document["operations"].values() if _last(one["channel"]) == channel), None)


def _headers(document: Node, message: Node) -> Node:
    """The headers of a message: its own, otherwise those of its trait."""
    trait = next((one for one in message.get("traits", ()) if "$ref" in one), None)
    named = document["components"]["messageTraits"][_last(trait)] if trait else {}
    headers: Node = message.get("headers") or named.get("headers", {})
    return headers


def _last(node: Node) -> str:
    return str(node["$ref"]).rpartition("/")[2]


def _text(document: Node, name: str) -> str:
    node = document["components"]["messages"][name]
    return " ".join((name, node.get("title", ""), node.get("summary", ""))).casefold()
