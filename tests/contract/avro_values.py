"""Random values of an Avro schema of the contract, in their JSON form, for Hypothesis."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import hypothesis.strategies as st

from schemas.instants import EARLIEST, LATEST, format_instant

_WHOLE = {"int": st.integers(-(2**31), 2**31 - 1), "long": st.integers(-(2**63), 2**63 - 1)}
_SAMPLES = {"string": "tëxt", "boolean": True, "int": 7, "long": 2**40}
INSTANTS = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)).map(
    lambda moment: format_instant(moment.replace(tzinfo=EARLIEST.tzinfo))
)


def named_records(schema: Any) -> dict[str, Any]:
    """Full name → record of every record defined in ``schema``."""
    if isinstance(schema, list):
        return {name: record for branch in schema for name, record in named_records(branch).items()}
    if not isinstance(schema, dict) or schema["type"] not in ("record", "array"):
        return {}
    if schema["type"] == "array":
        return named_records(schema["items"])
    found = {f"{schema['namespace']}.{schema['name']}": schema}
    for field in schema["fields"]:
        found |= named_records(field["type"])
    return found


def values(schema: Any, records: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Strategy for values of ``schema``; optional members are sometimes omitted."""
    records = named_records(schema) if records is None else records
    if isinstance(schema, list):
        return st.none() | values(schema[1], records)
    if isinstance(schema, str):
        if schema in records:
            return values(records[schema], records)
        return {"string": st.text(max_size=80), "boolean": st.booleans(), **_WHOLE}[schema]
    if schema.get("logicalType") == "timestamp-micros":
        return INSTANTS
    if schema["type"] == "array":
        return st.lists(values(schema["items"], records), max_size=3)
    if schema["type"] != "record":
        return values(schema["type"], records)
    members = {field["name"]: values(field["type"], records) for field in schema["fields"]}
    optional = {field["name"] for field in schema["fields"] if "default" in field}
    return st.fixed_dictionaries(
        {name: member for name, member in members.items() if name not in optional},
        optional={name: member for name, member in members.items() if name in optional},
    )


def sample(schema: Any, *, full: bool, records: dict[str, Any] | None = None) -> Any:
    """One value of ``schema``, with all members or only the required ones."""
    records = named_records(schema) if records is None else records
    if isinstance(schema, list):
        return sample(schema[1], full=full, records=records)
    schema = records.get(schema, schema) if isinstance(schema, str) else schema
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind == "array":
        return [sample(schema["items"], full=full, records=records)] if full else []
    if kind != "record":
        instant = isinstance(schema, dict) and schema.get("logicalType") == "timestamp-micros"
        return "2026-03-01T09:00:00.000001Z" if instant else _SAMPLES[kind]
    return {
        field["name"]: sample(field["type"], full=full, records=records)
        for field in schema["fields"]
        if full or "default" not in field
    }


def completed(schema: Any, value: Any, records: dict[str, Any] | None = None) -> Any:
    """Add defaults for missing members, as a reader sees the value."""
    records = named_records(schema) if records is None else records
    if isinstance(schema, list):
        return None if value is None else completed(schema[1], value, records)
    schema = records.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, str):
        return value
    if schema["type"] == "array":
        return [completed(schema["items"], item, records) for item in value]
    if schema["type"] != "record":
        return value
    return {
        field["name"]: completed(field["type"], value.get(field["name"], field.get("default")), records)
        for field in schema["fields"]
    }


def with_datetimes(schema: Any, value: Any, records: dict[str, Any] | None = None) -> Any:
    """Convert instants to datetimes, as other Avro writers require."""
    records = named_records(schema) if records is None else records
    if isinstance(schema, list):
        return None if value is None else with_datetimes(schema[1], value, records)
    schema = records.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, str):
        return value
    if schema.get("logicalType") == "timestamp-micros":
        return datetime.fromisoformat(value)
    if schema["type"] == "array":
        return [with_datetimes(schema["items"], item, records) for item in value]
    if schema["type"] != "record":
        return value
    return {
        field["name"]: with_datetimes(field["type"], value[field["name"]], records)
        for field in schema["fields"]
    }
