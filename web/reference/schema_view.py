"""JSON schemas as tables: one per object, each field with its type and limits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

Node = Mapping[str, Any]
_CODE: Final = re.compile(r"``(.+?)``|`(.+?)`", re.DOTALL)
_NULL: Final = {"type": "null"}
#: Member of a schema → its words, with the value in place of ``{}``.
_LIMITS: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} members",
    "pattern": "pattern {}",
}


@dataclass(frozen=True, slots=True)
class Part:
    """Part of the words for a type.

    :param target: name of the table that the part leads to.
    """

    text: str
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One row of a table.

    :param default: as JSON; ``None`` without a default, and for one that is null.
    """

    name: str
    required: bool
    parts: tuple[Part, ...]
    limits: tuple[str, ...]
    default: str | None
    about: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One object."""

    name: str
    about: Markup
    fields: tuple[Field, ...]


def tables_of(schemas: Mapping[str, Node], roots: Iterable[tuple[str, Node]]) -> list[Table]:
    """Tables of all objects in some values, and of the objects that those contain, each once.

    :param schemas: ``components.schemas`` of the document.
    :param roots: name and schema of each value. A value that is an object itself has a table of its name.
    """
    waiting = [found for name, node in roots for found in _objects(name, node)]
    tables: dict[str, Table] = {}
    for name, inner in waiting:  # grows while it is read
        if name not in tables:
            node = schemas[name] if inner is None else inner
            tables[name] = _table(name, node)
            for field, schema in node.get("properties", {}).items():
                waiting += _objects(f"{name}.{field}", schema)
    return list(tables.values())


def field_of(name: str, node: Node, *, required: bool, owner: str = "", about: str = "") -> Field:
    """A field, parameter or header.

    :param about: description if the schema has none.
    """
    default = node.get("default")
    return Field(
        name=name,
        required=required,
        parts=tuple(_parts(node, f"{owner}.{name}" if owner else name)),
        limits=tuple(dict.fromkeys(_limits(node))),
        default=None if default is None else json.dumps(default, ensure_ascii=False),
        about=prose(node.get("description") or about),
    )


def prose(text: str) -> Markup:
    """A description as paragraphs, with code between backquotes."""
    paragraphs = [block.replace("\n", " ").strip() for block in text.split("\n\n") if block.strip()]
    return Markup("").join(Markup("<p>{}</p>").format(_with_code(block)) for block in paragraphs)


def first_sentence(text: str) -> Markup:
    """The first sentence of a description, for a list."""
    block = text.split("\n\n", maxsplit=1)[0].replace("\n", " ").strip()
    return _with_code(re.split(r"(?<=[.!?]) (?=[A-Z`])", block, maxsplit=1)[0])


def _with_code(text: str) -> Markup:
    done, at = Markup(""), 0
    for found in _CODE.finditer(text):
        done += text[at : found.start()]
        done += Markup("<code>{}</code>").format(found[1] or found[2])
        at = found.end()
    return done + text[at:]


def _table(name: str, node: Node) -> Table:
    required = node.get("required", ())
    return Table(
        name=name,
        about=prose(node.get("description", "")),
        fields=tuple(
            field_of(field, schema, required=field in required, owner=name)
            for field, schema in node.get("properties", {}).items()
        ),
    )


def _objects(path: str, node: Node) -> Iterator[tuple[str, Node | None]]:
    """Name and schema of the tables that a value leads to; ``None`` for the schema of a named one."""
    for inner in _within(node):
        if "$ref" in inner:
            yield _target(inner), None
        elif "properties" in inner:
            yield path, inner


def _within(node: Node) -> Iterator[Node]:
    """A schema and the schemas of its alternatives, items and values."""
    yield node
    inner = [*node.get("anyOf", ()), node.get("items"), node.get("additionalProperties")]
    inner += node.get("patternProperties", {}).values()
    for one in inner:
        if isinstance(one, Mapping):
            yield from _within(one)


def _parts(node: Node, path: str) -> Iterator[Part]:
    """Words for a type, with links to tables."""
    if "$ref" in node:
        yield Part(_target(node), _target(node))
    elif "anyOf" in node:
        choices = [one for one in node["anyOf"] if one != _NULL]
        for at, one in enumerate([*choices, *([_NULL] if _NULL in node["anyOf"] else [])]):
            if at:
                yield Part(" or ")
            yield from _parts(one, path)
    elif "const" in node or "enum" in node:
        values = node.get("enum", [node.get("const")])
        yield Part(" | ".join(json.dumps(value, ensure_ascii=False) for value in values))
    elif node.get("type") == "array":
        yield Part("list of ")
        yield from _parts(node.get("items", {}), path)
    elif "properties" in node:
        yield Part("object", path)
    elif node.get("type") == "object":
        values = _map_values(node)
        yield Part("map of " if values else "object")
        yield from _parts(values, path) if values else ()
    else:
        yield Part(node.get("format") or node.get("type") or "any value")


def _map_values(node: Node) -> Node:
    values = node.get("additionalProperties")
    if isinstance(values, Mapping):
        return values
    found: Node = next(iter(node.get("patternProperties", {}).values()), {})
    return found


def _limits(node: Node) -> Iterator[str]:
    for one in (node, *node.get("anyOf", ())):
        for member, words in _LIMITS.items():
            if member in one:
                value = one[member]
                yield words.format(int(value) if isinstance(value, float) and value.is_integer() else value)


def _target(node: Node) -> str:
    return str(node["$ref"]).rpartition("/")[2]
