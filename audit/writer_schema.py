"""Limits on writer schemas, reimplemented from the contract.

Any publisher may register a schema. It must be a record of plain types, and decoding must not produce far
more values than there are bytes: at most 10,000 values outside arrays and maps, 16 values per byte inside.
"""

from __future__ import annotations

from typing import Any, Final

_DEEPEST: Final = 64
_MOST_VALUES: Final = 10_000
_MOST_PER_BYTE: Final = 16
_PLAIN: Final = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "string": 1}
#: Maximum number of values, minimum number of bytes.
Size = tuple[int, int]


class UnusableError(ValueError):
    """A schema outside the limits."""


class _Reader:
    """Walk a schema; ``cleaned`` strips every logical type except instants."""

    def __init__(self) -> None:
        self.sizes: dict[str, Size | None] = {}

    def cleaned(self, node: Any, space: str = "", depth: int = 0) -> tuple[Any, Size]:
        if depth > _DEEPEST:
            raise UnusableError("nested too deeply")
        match node:
            case str():
                return self._named(node, space)
            case []:
                raise UnusableError("an empty union")
            case list():
                return self._union([self.cleaned(branch, space, depth + 1) for branch in node])
            case {"type": "long", "logicalType": ("timestamp-millis" | "timestamp-micros") as unit}:
                return {"type": "long", "logicalType": unit}, (1, 1)
            case {"type": "enum", "name": str()}:
                name = self._define(node, space)[0]
                self.sizes[name] = (1, 1)
                return {"type": "enum", "name": name, "symbols": node.get("symbols")}, (1, 1)
            case {"type": "record", "name": str(), "fields": list() as fields}:
                return self._record(*self._define(node, space), fields, depth)
            case {"type": ("array" | "map") as kind}:
                return self._many(kind, node, space, depth)
            case {"type": ("record" | "enum")}:
                raise UnusableError("a definition without a name or fields")
            case {"type": inner}:
                return self.cleaned(inner, space, depth + 1)
        raise UnusableError("not a type")

    def _named(self, name: str, space: str) -> tuple[str, Size]:
        if name in _PLAIN:
            return name, (1, _PLAIN[name])
        full = _full(name, space)
        size = self.sizes.get(full)
        if size is None:
            raise UnusableError("a type that is unknown or contains itself")
        return full, size

    def _union(self, branches: list[tuple[Any, Size]]) -> tuple[list[Any], Size]:
        values, bytes_ = zip(*(size for _, size in branches), strict=True)
        return [branch for branch, _ in branches], (1 + max(values), 1 + min(bytes_))

    def _define(self, node: Any, space: str) -> tuple[str, str]:
        if isinstance(node.get("namespace"), str) and "." not in node["name"]:
            space = node["namespace"]
        name = _full(node["name"], space)
        if name in self.sizes:
            raise UnusableError("a type that is defined twice")
        self.sizes[name] = None
        return name, name.rpartition(".")[0] if "." in node["name"] else space

    def _record(self, name: str, space: str, fields: list[Any], depth: int) -> tuple[Any, Size]:
        values, bytes_, members = 1, 0, []
        for field in fields:
            if not isinstance(field, dict):
                raise UnusableError("not a field")
            part, size = self.cleaned(field.get("type"), space, depth + 1)
            members.append({"name": field.get("name"), "type": part})
            values, bytes_ = values + size[0], bytes_ + size[1]
            if values > _MOST_VALUES:
                raise UnusableError("too many values")
        self.sizes[name] = values, bytes_
        return {"type": "record", "name": name, "fields": members}, (values, bytes_)

    def _many(self, kind: str, node: Any, space: str, depth: int) -> tuple[Any, Size]:
        member = "items" if kind == "array" else "values"
        part, (values, bytes_) = self.cleaned(node.get(member), space, depth + 1)
        if values > _MOST_PER_BYTE * (bytes_ + (kind == "map")):
            raise UnusableError("items larger than their bytes")
        return {"type": kind, member: part}, (1, 1)


def _full(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"


def usable(schema: Any) -> dict[str, Any]:
    """Return the schema to decode values with.

    :raises UnusableError: the schema exceeds the limits.
    """
    clean, _ = _Reader().cleaned(schema)
    if not isinstance(clean, dict) or clean["type"] != "record":
        raise UnusableError("not a record")
    return clean
