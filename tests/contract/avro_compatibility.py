"""Whether one version of a schema can read what another has written (Avro 1.11, "Schema Resolution").

Stricter than the specification where the contract is: a logical type may not change either, for a reader
would take the value for something else, and a record keeps its name.
"""

from __future__ import annotations

from typing import Any, Final

#: Writer's type → types that a reader may have instead.
_PROMOTIONS: Final[dict[str, frozenset[str]]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
}


def incompatibilities(reader: dict[str, Any], writer: dict[str, Any]) -> list[str]:
    """What keeps ``reader`` from reading every value of ``writer``; empty when nothing does.

    :returns: one sentence each, with the path of the field.
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
        # Say why the branch of the same kind does not fit, rather than that none does.
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
    """The schema itself, with a name resolved; definitions are noted on the way."""
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
