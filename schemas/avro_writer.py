"""Compile an Avro schema into a straight-line writer (Avro 1.11 binary encoding).

A generic encoder tests at every value which union branch it matches. The compiler resolves that once per
schema, which makes writing a lifecycle event four times as fast. It supports what ``schemas.avro_schemas``
generates: records, ``["null", T]``, arrays, strings, integers, booleans and instants.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final

from schemas.errors import Stop


class UnwritableError(Stop):
    """A value does not match its schema; another value may."""


#: ``(value, prefix) -> prefix + body``
Write = Callable[[dict[str, Any], bytes], bytes]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TABLE: Final = 4096
_CACHED_INSTANTS: Final = 8192
_NULL: Final = b"\x00"
_GIVEN: Final = b"\x02"


def varint(number: int, bits: int = 64) -> bytes:
    """Encode an integer as a zig-zag variable-length number.

    :raises OverflowError: it does not fit into ``bits`` bits.
    """
    limit = 1 << (bits - 1)
    if not -limit <= number < limit:
        raise OverflowError(f"the integer does not fit into {bits} bits")
    rest = number << 1 if number >= 0 else ((-number) << 1) - 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def to_micros(instant: str | datetime) -> int:
    """Convert RFC 3339 text or an aware datetime to microseconds since 1970.

    :raises ValueError: it is not a date-time, or has no offset.
    """
    moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    if moment.tzinfo is None:
        raise ValueError("the instant has no offset")
    return (moment - EPOCH) // _MICROSECOND


class _Instants(dict[Any, bytes]):
    """Cache of encoded instants: one event repeats the same few instants."""

    def __init__(self, prefix: bytes) -> None:
        super().__init__()
        self._prefix = prefix

    def __missing__(self, instant: str | datetime) -> bytes:
        encoded = self._prefix + varint(to_micros(instant))
        if len(self) >= _CACHED_INSTANTS:
            self.clear()
        self[instant] = encoded
        return encoded


def _check_members(value: dict[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(value.keys() - known)
    if unknown:
        raise TypeError(f"the schema has no field {', '.join(unknown)}")


_VARINTS: Final = tuple(varint(number) for number in range(_TABLE))
_NAMES: Final[dict[str, Any]] = {
    "V": _VARINTS,
    "VU": tuple(_GIVEN + encoded for encoded in _VARINTS),
    "I": _Instants(b""),
    "IU": _Instants(_GIVEN),
    "B": {False: b"\x00", True: b"\x01"},
    "varint": varint,
    "join": b"".join,
    "check": _check_members,
}


class _Source:
    """Source text of a writer under construction, with the field that each line writes."""

    def __init__(self) -> None:
        self.lines = ["def write(value, prefix):", " parts = [prefix]", " add = parts.append"]
        self.fields = ["", "", ""]
        self.names = dict(_NAMES)
        self._records: dict[str, Any] = {}
        self._variables = 0

    def put(self, depth: int, field: str, line: str) -> None:
        self.lines.append(" " * depth + line)
        self.fields.append(field)

    def variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def constant(self, value: Any) -> str:
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name

    def record(self, schema: Any, source: str, depth: int, path: str) -> None:
        self._records[f"{schema['namespace']}.{schema['name']}"] = schema
        known = self.constant(frozenset(field["name"] for field in schema["fields"]))
        self.put(depth, path, f"if len({source}) != {len(schema['fields'])}: check({source}, {known})")
        for field in schema["fields"]:
            where = f"{path}/{field['name']}"
            self.put(depth, where, f"v = {self._member(field, source)}")
            self.value(field["type"], depth, where)

    def _member(self, field: Any, source: str) -> str:
        name = field["name"]
        if "default" not in field:
            return f"{source}[{name!r}]"
        if field["default"] is None:
            return f"{source}.get({name!r})"
        return f"{source}.get({name!r}, {self.constant(field['default'])})"

    def value(self, schema: Any, depth: int, path: str) -> None:
        """Emit the code that writes the value in ``v``."""
        if isinstance(schema, list):
            null, given = schema
            assert null == "null"
            self.put(depth, path, f"if v is None: add({_NULL!r})")
            self.put(depth, path, "else:")
            self._given(given, depth + 1, path, union=True)
        else:
            self._given(schema, depth, path, union=False)

    def _given(self, schema: Any, depth: int, path: str, *, union: bool) -> None:
        kind = schema if isinstance(schema, str) else schema["type"]
        table = "VU" if union else "V"
        branch = f"{_GIVEN!r} + " if union else ""
        if kind == "string":
            self.put(depth, path, "v = v.encode(); n = len(v)")
            self.put(depth, path, f"add({table}[n] if n < {_TABLE} else {branch}varint(n)); add(v)")
        elif kind == "long" and not isinstance(schema, str):
            self.put(depth, path, f"add({'IU' if union else 'I'}[v])")
        elif kind in ("int", "long"):
            bits = 32 if kind == "int" else 64
            encoded = f"{table}[v] if 0 <= v < {_TABLE} else {branch}varint(v, {bits})"
            self.put(depth, path, f"add({encoded})")
        elif kind == "boolean":
            self.put(depth, path, f"add({branch}B[v])")
        else:
            if union:
                self.put(depth, path, f"add({_GIVEN!r})")
            held = self.variable()
            self.put(depth, path, f"{held} = v")
            if kind == "array":
                self.put(depth, path, f"n = len({held})")
                self.put(depth, path, f"if n: add(V[n] if n < {_TABLE} else varint(n))")
                self.put(depth, path, f"for v in {held}:")
                self.value(schema["items"], depth + 1, path)
                self.put(depth, path, f"add({_NULL!r})")
            else:
                self.record(self._records.get(kind, schema), held, depth, path)


class Writer:
    """Compiled writer of one record schema.

    :raises AssertionError: the schema has a union other than ``["null", T]``.
    :raises KeyError: the schema has a type that ``schemas.avro_schemas`` never generates.
    """

    def __init__(self, fullname: str, schema: dict[str, Any]) -> None:
        self._fullname = fullname
        self._file = f"<writer of {fullname}>"
        source = _Source()
        source.record(schema, "value", 1, "")
        source.put(1, "", "return join(parts)")
        self._fields = source.fields
        # The text consists of the contract's own field names, quoted by repr; no external input.
        exec(compile("\n".join(source.lines), self._file, "exec"), source.names)  # noqa: S102
        #: The compiled function; pass what it raises to ``explain``.
        self.write: Write = source.names["write"]

    def explain(self, error: Exception) -> UnwritableError:
        """Convert a failure of ``write`` (a value that does not match the schema) to a readable error."""
        where = self._field_of(error.__traceback__)
        what = f"{type(error).__name__}: {error}" if isinstance(error, TypeError) else type(error).__name__
        return UnwritableError(f"a value cannot be written as {self._fullname}: at {where or '/'}, {what}")

    def _field_of(self, traceback: TracebackType | None) -> str:
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self._file:
                return self._fields[traceback.tb_lineno - 1]
            traceback = traceback.tb_next
        return ""
