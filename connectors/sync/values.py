"""Values of mirrored fields as JSON and back, and their canonical hash."""

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
    """What the two sides held of one field when they last agreed; the local value may be the finer one."""

    local: Any
    remote: Any


#: Field → what was agreed on it.
Base = dict[str, Agreed]


def to_json(value: Any) -> Any:
    """A value of a field as JSON holds it."""
    return format_instant(value) if isinstance(value, datetime) else value


def from_json(name: str, value: Any) -> Any:
    """The value of the field ``name`` from its JSON form."""
    return parse_instant(value) if FIELDS[name] is datetime and value is not None else value


def values_to_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """All values of a mapping as JSON."""
    return {name: to_json(value) for name, value in values.items()}


def base_to_json(base: Mapping[str, Agreed]) -> dict[str, Any]:
    """A base snapshot as it is stored."""
    return {
        name: {"local": to_json(agreed.local), "remote": to_json(agreed.remote)}
        for name, agreed in base.items()
    }


def base_from_json(stored: Mapping[str, Any]) -> Base:
    """A stored base snapshot."""
    return {
        name: Agreed(from_json(name, pair["local"]), from_json(name, pair["remote"]))
        for name, pair in stored.items()
        if name in FIELDS
    }


def canonical_hash(values: Mapping[str, Any]) -> str:
    """Equal values, equal text: SHA-256 over the JSON with sorted names."""
    return sha256(orjson.dumps(values_to_json(values), option=orjson.OPT_SORT_KEYS)).hexdigest()
