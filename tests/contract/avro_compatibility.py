"""Compatibility check of Avro schemas: can one version read what another wrote (1.11, "Schema Resolution")?

Stricter than the specification where the contract requires it: a logical type must not change, because a
reader would misinterpret the value, and a record must keep its name.
"""

from __future__ import annotations

from typing import Any, Final

#: Writer's type → types to which a reader can promote it.
_PROMOTIONS: Final[dict[str, frozenset[str]]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
}


def incompatibilities(reader: dict[str, Any], writer: dict[str, Any]) -> list[str]:
    """List the reasons why ``reader`` cannot read every value of ``writer``; empty when it can.

    :returns: one line per problem, starting with the path of the field.
    """
    return _Comparison().compare(reader, writer, "")


class _Comparison:
    def __init__(self) -> None:
        self._reader: dict[str, Any] = {}
        self._writer: dict[str, Any] = {}

    def compare(self, reader: Any, writer: Any, path: str) -> list[str]:
        reader = _named(reader, self._reader)
        writer = _named(writer, self._writer)
        if isinstance(writer, list):
            branches = (self.compare(reader, branch, path) for branch in writer)
            return [problem for problems in branches for problem in problems]
        if isinstance(reader, list):
            return self._into_union(reader, writer, path)
        return self._values(reader, writer, path)

    def _values(self, reader: Any, writer: Any, path: str) -> list[str]:
        kind, written = _kind(reader), _kind(writer)
        if _logical(reader) != _logical(writer):
            return [f"{path}: logical type {_logical(writer)} is read as {_logical(reader)}"]
        if kind != written and kind not in _PROMOTIONS.get(written, ()):
            return [f"{path}: {written} cannot be read as {kind}"]
        if kind == "array":
            return self.compare(reader["items"], writer["items"], f"{path}[]")
        if kind == "record":
            return self._records(reader, writer, path)
        return []

    def _into_union(self, reader: list[Any], writer: Any, path: str) -> list[str]:
        tried = [self.compare(branch, writer, path) for branch in reader]
        if not all(tried):
            return []
        # Report why the branch of the same kind does not match, rather than that none matches.
        same = [
            problems
            for branch, problems in zip(reader, tried, strict=True)
            if _kind(_named(branch, self._reader)) == _kind(writer)
        ]
        return same[0] if same else [f"{path}: no branch of the reader's union takes {_kind(writer)}"]

    def _records(self, reader: dict[str, Any], writer: dict[str, Any], path: str) -> list[str]:
        if _fullname(reader) != _fullname(writer):
            return [f"{path}: record {_fullname(writer)} is read as {_fullname(reader)}"]
        written = {field["name"]: field["type"] for field in writer["fields"]}
        problems = []
        for field in reader["fields"]:
            where = f"{path}/{field['name']}"
            if field["name"] in written:
                problems += self.compare(field["type"], written[field["name"]], where)
            elif "default" not in field:
                problems.append(f"{where}: is not in what was written, and has no default")
        return problems


def _named(schema: Any, names: dict[str, Any]) -> Any:
    """Resolve a name to its definition, and remember definitions."""
    if isinstance(schema, str):
        return names.get(schema, schema)
    if isinstance(schema, dict) and schema["type"] == "record":
        names[_fullname(schema)] = schema
    return schema


def _fullname(record: dict[str, Any]) -> str:
    return f"{record['namespace']}.{record['name']}"


def _kind(schema: Any) -> str:
    return schema if isinstance(schema, str) else str(schema["type"])


def _logical(schema: Any) -> str | None:
    return schema.get("logicalType") if isinstance(schema, dict) else None
