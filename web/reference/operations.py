"""The OpenAPI document as operations by their heading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from web.reference.schema_view import Field, Node, Table, field_of, first_sentence, prose, tables_of

_METHODS: Final = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    :param id: its ``operationId``.
    """

    id: str
    tag: str
    method: str
    path: str
    brief: Markup
    deprecated: bool
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response; ``media`` is the type of its body."""

    status: str
    about: str
    media: str | None
    body: Field | None
    headers: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationView:
    """One operation with everything that its page shows."""

    operation: Operation
    about: Markup
    features: tuple[str, ...]
    public: bool
    parameters: tuple[tuple[str, Field], ...]
    body: Field | None
    body_required: bool
    answers: tuple[Answer, ...]
    tables: list[Table]


def operations_of(document: Node, search: str | None = None) -> dict[str, list[Operation]]:
    """Operations by heading, deprecated headings last; those that contain the search text."""
    found: dict[str, list[Operation]] = {}
    order = sorted(_operations(document), key=lambda it: (it.tag, it.path, it.method))
    old = {it.tag for it in order if it.deprecated}
    for one in sorted(order, key=lambda it: it.tag in old):
        if search is None or search.casefold() in _text(one):
            found.setdefault(one.tag, []).append(one)
    return found


def operation_of(document: Node, identity: str) -> OperationView | None:
    """The operation with this ``operationId``."""
    found = next((one for one in _operations(document) if one.id == identity), None)
    if found is None:
        return None
    node = found.node
    body = node.get("requestBody")
    schema = _schema(body) if body else None
    answers = tuple(_answer(status, one) for status, one in node["responses"].items())
    # The contents of successful responses come before the problem, which every failure has.
    bodies = [schema, *(_schema(node["responses"][status]) for status in sorted(node["responses"]))]
    return OperationView(
        operation=found,
        about=prose(node.get("description", "")),
        features=tuple(node.get("x-required-features", {}).get("anyOf", ())),
        public=not node.get("security"),
        parameters=tuple(
            (
                one["in"],
                field_of(
                    one["name"],
                    one.get("schema", {}),
                    required=one.get("required", False),
                    about=one.get("description", ""),
                ),
            )
            for one in node.get("parameters", ())
        ),
        body=field_of("body", schema, required=True) if schema else None,
        body_required=bool(body and body.get("required")),
        answers=answers,
        tables=tables_of(document["components"]["schemas"], [("body", one) for one in bodies if one]),
    )


def _operations(document: Node) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method in _METHODS:
            node = methods.get(method)
            if node is not None:
                yield Operation(
                    id=node["operationId"],
                    tag=(node.get("tags") or ["other"])[0],
                    method=method.upper(),
                    path=path,
                    brief=first_sentence(node.get("description") or node.get("summary", "")),
                    deprecated=node.get("deprecated", False),
                    node=node,
                )


def _answer(status: str, node: Node) -> Answer:
    media, schema = next(iter(node.get("content", {})), None), _schema(node)
    return Answer(
        status=status,
        about=node.get("description", ""),
        media=media,
        body=field_of("body", schema, required=True) if schema else None,
        headers=tuple(
            field_of(
                name,
                one.get("schema", {}),
                required=one.get("required", False),
                about=one.get("description", ""),
            )
            for name, one in node.get("headers", {}).items()
        ),
    )


def _schema(node: Mapping[str, Any]) -> Node | None:
    """Schema of the first content of a body or response."""
    content: Node = next(iter(node.get("content", {}).values()), {})
    schema: Node | None = content.get("schema") or None
    return schema


def _text(operation: Operation) -> str:
    node = operation.node
    words = (operation.id, operation.method, operation.path, operation.tag, node.get("description", ""))
    return " ".join((*words, node.get("summary", ""))).casefold()
