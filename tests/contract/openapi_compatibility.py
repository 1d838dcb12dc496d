"""Compatibility check of OpenAPI documents: clients of a released one must work with a newer one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]


def breaking_changes(old: Document, new: Document) -> list[str]:
    """List every way in which ``new`` breaks a client of ``old``; empty when it only adds.

    Requests: everything accepted before must still be accepted. Responses: no status or member is removed.
    """
    found: list[str] = []
    for path, method, before in _operations(old):
        name = f"{method.upper()} {path}"
        after = new["paths"].get(path, {}).get(method)
        if after is None:
            found.append(f"{name} was removed")
            continue
        found += [f"{name}: {line}" for line in _operation(old, new, before, after)]
    return found


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _operation(old: Document, new: Document, before: Document, after: Document) -> Iterator[str]:
    known = {(item["in"], item["name"]): item for item in before.get("parameters", [])}
    for item in after.get("parameters", []):
        place = item["in"], item["name"]
        if item.get("required") and not known.get(place, {}).get("required"):
            yield f"the parameter {item['name']} is now required"
        known.pop(place, None)
    for _, name in known:
        yield f"the parameter {name} was removed"
    yield from _request(old, new, before, after)
    for status, answer in before["responses"].items():
        if status.startswith("2"):
            now = after["responses"].get(status)
            if now is None:
                yield f"the response {status} was removed"
            else:
                yield from _answer(old, new, answer, now)
    asked = set(after.get("x-required-features", {}).get("anyOf", []))
    asked_before = set(before.get("x-required-features", {}).get("anyOf", []))
    if asked and not asked_before <= asked:
        yield "it requires other features"


def _request(old: Document, new: Document, before: Document, after: Document) -> Iterator[str]:
    if "requestBody" not in after:
        return
    for kind, content in before.get("requestBody", {}).get("content", {}).items():
        now = after["requestBody"]["content"].get(kind)
        if now is None:
            yield f"the request type {kind} was removed"
            continue
        was, is_now = _resolve(old, content["schema"]), _resolve(new, now["schema"])
        for name in set(was.get("properties", {})) - set(is_now.get("properties", {})):
            yield f"the field {name} of the request was removed"
        for name in set(is_now.get("required", [])) - set(was.get("required", [])):
            yield f"the field {name} is now required"


def _answer(old: Document, new: Document, before: Document, after: Document) -> Iterator[str]:
    for kind, content in before.get("content", {}).items():
        now = after.get("content", {}).get(kind)
        if now is None:
            yield f"the response type {kind} was removed"
            continue
        was, is_now = _resolve(old, content.get("schema", {})), _resolve(new, now.get("schema", {}))
        for name in set(was.get("properties", {})) - set(is_now.get("properties", {})):
            yield f"the member {name} of the response was removed"


def _resolve(document: Document, schema: Document) -> Document:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema
