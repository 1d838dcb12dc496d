"""Whether clients of a released OpenAPI document still work with a newer one (additive changes only)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]


def breaking_changes(old: Document, new: Document) -> list[str]:
    """Every way in which ``new`` takes back what ``old`` promised; empty when it only adds.

    Requests: what was accepted is accepted still. Answers: what was there is there still.
    """
    found: list[str] = []
    for path, method, before in _operations(old):
        name = f"{method.upper()} {path}"
        after = new["paths"].get(path, {}).get(method)
        if after is None:
            found.append(f"{name} is gone")
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
            yield f"the parameter {item['name']} is required now"
        known.pop(place, None)
    for _, name in known:
        yield f"the parameter {name} is gone"
    yield from _request(old, new, before, after)
    for status, answer in before["responses"].items():
        if status.startswith("2"):
            now = after["responses"].get(status)
            if now is None:
                yield f"it does not answer {status} any more"
            else:
                yield from _answer(old, new, answer, now)
    asked = set(after.get("x-required-features", {}).get("anyOf", []))
    asked_before = set(before.get("x-required-features", {}).get("anyOf", []))
    if asked and not asked_before <= asked:
        yield "it asks for other features"


def _request(old: Document, new: Document, before: Document, after: Document) -> Iterator[str]:
    if "requestBody" not in after:
        return
    for kind, content in before.get("requestBody", {}).get("content", {}).items():
        now = after["requestBody"]["content"].get(kind)
        if now is None:
            yield f"it does not take {kind} any more"
            continue
        was, is_now = _resolve(old, content["schema"]), _resolve(new, now["schema"])
        for name in set(was.get("properties", {})) - set(is_now.get("properties", {})):
            yield f"the field {name} is not accepted any more"
        for name in set(is_now.get("required", [])) - set(was.get("required", [])):
            yield f"the field {name} is required now"


def _answer(old: Document, new: Document, before: Document, after: Document) -> Iterator[str]:
    for kind, content in before.get("content", {}).items():
        now = after.get("content", {}).get(kind)
        if now is None:
            yield f"it does not answer {kind} any more"
            continue
        was, is_now = _resolve(old, content.get("schema", {})), _resolve(new, now.get("schema", {}))
        for name in set(was.get("properties", {})) - set(is_now.get("properties", {})):
            yield f"the member {name} is not answered any more"


def _resolve(document: Document, schema: Document) -> Document:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema
