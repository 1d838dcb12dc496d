"""Convert values of mirrored fields to JSON and back, and hash them canonically."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from connectors.sdk.provider import FIELDS
from schemas.instants import format_instant, parse_instant


@dataclass(frozen=True, slots=True)
class Agreed:
    """Pair of values of one field on which both sides last agreed; the local one may be more precise."""

    local: Any
    remote: Any


#: Field → last agreed pair of values.
Base = dict[str, Agreed]


def to_json(value: Any) -> Any:
    """Convert a field's value to its JSON form."""
    return format_instant(value) if isinstance(value, datetime) else value


def from_json(name: str, value: Any) -> Any:
    """Convert the JSON form of field ``name`` back to its value."""
    return parse_instant(value) if FIELDS[name] is datetime and value is not None else value


def values_to_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert all values of a mapping to their JSON form."""
    return {name: to_json(value) for name, value in values.items()}


def base_to_json(base: Mapping[str, Agreed]) -> dict[str, Any]:
    """Convert a base snapshot to its stored form."""
    return {
        name: {"local": to_json(agreed.local), "remote": to_json(agreed.remote)}
        for name, agreed in base.items()
    }


def base_from_json(stored: Mapping[str, Any]) -> Base:
    """Read a stored base snapshot; unknown fields are dropped."""
    return {
        name: Agreed(from_json(name, pair["local"]), from_json(name, pair["remote"]))
        for name, pair in stored.items()
        if name in FIELDS
    }


def canonical_hash(values: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the JSON form with sorted keys; equal values have equal hashes."""
    return sha256(orjson.dumps(values_to_json(values), option=orjson.OPT_SORT_KEYS)).hexdigest()
