"""Compatibility check of AsyncAPI 3.0 documents: clients of the old one must work with the new one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]


def breaking_changes(old: Document, new: Document) -> list[str]:
    """List every way in which ``new`` breaks a client of ``old``; empty when it only adds.

    Received messages (commands, decisions): no new required field or header, no accepted field removed.
    Sent messages (results, events, state): no field removed, no required field made optional.

    :returns: one sentence each, starting with the channel and the message.
    """
    found = []
    for operation in old["operations"].values():
        channel = _last(operation["channel"]["$ref"])
        if channel not in new["channels"]:
            found.append(f"{channel}: the topic was removed")
            continue
        received = operation["action"] == "receive"
        for reference in operation["messages"]:
            name = _last(reference["$ref"])
            if name not in new["channels"][channel]["messages"]:
                found.append(f"{channel}: the message {name} was removed")
                continue
            before, after = _parts(old, name), _parts(new, name)
            found += [f"{channel}: {name}{problem}" for problem in _compare(before, after, received)]
    return found


def _compare(before: dict[str, Document], after: dict[str, Document], received: bool) -> Iterator[str]:
    for path, old in before.items():
        new = after.get(path, {})
        for field in sorted(old.get("properties", {}).keys() - new.get("properties", {}).keys()):
            yield f"{path}/{field}: was removed"
        earlier, now = set(old.get("required", ())), set(new.get("required", ()))
        if received:
            yield from (f"{path}/{field}: is now required" for field in sorted(now - earlier))
        else:
            kept = new.get("properties", {}).keys()
            yield from (
                f"{path}/{field}: is no longer always present" for field in sorted((earlier - now) & kept)
            )


def _parts(document: Document, name: str) -> dict[str, Document]:
    """Object schemas of a message by their path: its headers, its payload, and the objects inside that."""
    components = document["components"]
    message = components["messages"][name]
    headers = components["messageTraits"][_last(message["traits"][0]["$ref"])]["headers"]
    return {" headers": headers, **dict(_objects(components["schemas"], message["payload"], ""))}


def _objects(schemas: Document, node: Document, path: str) -> Iterator[tuple[str, Document]]:
    if "$ref" in node:
        node = schemas[_last(node["$ref"])]
    if "properties" in node:
        yield path, node
    for field, value in node.get("properties", {}).items():
        yield from _objects(schemas, value, f"{path}/{field}")
    for branch in node.get("anyOf", ()):
        yield from _objects(schemas, branch, path)
    if isinstance(node.get("items"), dict):
        yield from _objects(schemas, node["items"], f"{path}[]")


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]
