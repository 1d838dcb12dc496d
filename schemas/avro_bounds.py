"""Bound the cost of decoding with a writer's schema, whose shape is chosen by any registered client.

Bytes alone cannot make a decoder do more work than their length. A schema can: a record that contains
itself, ten levels of records that each contain the next one twice, an array of 10^18 nulls. Such schemas are
refused, and so are types that the contract never uses. Logical types other than instants are dropped, so
that a UUID stays text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

#: Maximum values of one record outside its arrays and maps.
MAX_VALUES: Final = 10_000
#: Maximum values per byte of an item of an array or map.
MAX_VALUES_PER_BYTE: Final = 16
_DEEPEST: Final = 64
_BYTES: Final = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "string": 1}
_INSTANTS: Final = ("timestamp-millis", "timestamp-micros")


class UnusableSchemaError(ValueError):
    """The schema is unsafe or unsupported for decoding; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """Decoding cost of a value: an upper bound on its values, a lower bound on its bytes."""

    values: int
    size: int


class _Walk:
    def __init__(self) -> None:
        self._named: dict[str, _Cost | None] = {}

    def type(self, node: Any, namespace: str, depth: int) -> tuple[Any, _Cost]:
        if depth > _DEEPEST:
            raise UnusableSchemaError("it is nested too deeply")
        if isinstance(node, list):
            return self._union(node, namespace, depth)
        if isinstance(node, str):
            return self._name(node, namespace)
        if not isinstance(node, dict):
            raise UnusableSchemaError("a type is not a name, an object or a list")
        kind = node.get("type")
        if kind in ("record", "enum"):
            return self._definition(kind, node, namespace, depth)
        if kind in ("array", "map"):
            return self._items(kind, node, namespace, depth)
        if kind == "long" and node.get("logicalType") in _INSTANTS:
            return {"type": "long", "logicalType": node["logicalType"]}, _Cost(1, 1)
        return self.type(kind, namespace, depth + 1)

    def _name(self, name: str, namespace: str) -> tuple[Any, _Cost]:
        if name in _BYTES:
            return name, _Cost(1, _BYTES[name])
        fullname = name if "." in name or not namespace else f"{namespace}.{name}"
        if fullname not in self._named:
            raise UnusableSchemaError(
                f"the type {fullname[:100]!r} is not defined, or not used by the contract"
            )
        cost = self._named[fullname]
        if cost is None:
            raise UnusableSchemaError(f"the record {fullname[:100]!r} contains itself")
        return fullname, cost

    def _union(self, node: list[Any], namespace: str, depth: int) -> tuple[Any, _Cost]:
        branches = [self.type(branch, namespace, depth + 1) for branch in node]
        if not branches:
            raise UnusableSchemaError("a union is empty")
        costs = [cost for _, cost in branches]
        worst = _Cost(1 + max(cost.values for cost in costs), 1 + min(cost.size for cost in costs))
        return [branch for branch, _ in branches], worst

    def _definition(self, kind: str, node: dict[str, Any], namespace: str, depth: int) -> tuple[Any, _Cost]:
        name = node.get("name")
        if not isinstance(name, str):
            raise UnusableSchemaError("a record has no name")
        if "." in name:
            namespace = name.rpartition(".")[0]
        elif isinstance(node.get("namespace"), str):
            namespace = node["namespace"]
        fullname = name if "." in name or not namespace else f"{namespace}.{name}"
        if fullname in self._named:
            raise UnusableSchemaError(f"the type {fullname[:100]!r} is defined twice")
        clean: dict[str, Any] = {"type": kind, "name": fullname}
        if kind == "enum":
            clean["symbols"] = node.get("symbols")
            self._named[fullname] = cost = _Cost(1, 1)
            return clean, cost
        self._named[fullname] = None
        clean["fields"] = fields = []
        values, size = 1, 0
        given = node.get("fields")
        if not isinstance(given, list):
            raise UnusableSchemaError("a record has no list of fields")
        for field in given:
            if not isinstance(field, dict):
                raise UnusableSchemaError("a field is not an object")
            part, cost = self.type(field.get("type"), namespace, depth + 1)
            fields.append({"name": field.get("name"), "type": part})
            values, size = values + cost.values, size + cost.size
            if values > MAX_VALUES:
                raise UnusableSchemaError(f"it has more than {MAX_VALUES} values")
        self._named[fullname] = whole = _Cost(values, size)
        return clean, whole

    def _items(self, kind: str, node: dict[str, Any], namespace: str, depth: int) -> tuple[Any, _Cost]:
        member = "items" if kind == "array" else "values"
        part, cost = self.type(node.get(member), namespace, depth + 1)
        # An item of a map has a key of at least one byte.
        size = cost.size + (kind == "map")
        if cost.values > MAX_VALUES_PER_BYTE * size:
            raise UnusableSchemaError(f"the items of the {kind} have too many values per byte")
        return {"type": kind, member: part}, _Cost(1, 1)


def bounded_schema(schema: Any) -> tuple[str, dict[str, Any]]:
    """Check a record schema and reduce it to what decoding needs.

    :param schema: parsed JSON of a schema from a registry.
    :returns: its full name, and a copy for decoding only.
    :raises UnusableSchemaError: it is not a record, is malformed, or its values could cost more than their
        bytes justify.
    """
    clean, _ = _Walk().type(schema, "", 0)
    if not isinstance(clean, dict) or clean.get("type") != "record":
        raise UnusableSchemaError("it is not a record")
    return clean["name"], clean
