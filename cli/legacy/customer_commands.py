"""Commands for the customers, deals and interaction types of an installation.

The id of a command is derived from its content, so a second import sends duplicates, which change nothing.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from cli.legacy.values import Values
from domain.legacy_rows import legacy_color, legacy_type, placeholder
from schemas.identity import derive_id, escaped
from schemas.payloads import DEAL_UPSERT, ENTITY_UPSERT, TYPE_UPSERT

_SOURCE: Final = "urn:customer-interactions:import"
_KINDS: Final = ("person", "company")
_NAME, _TITLE, _SHORT, _EMAIL = 300, 500, 100, 320
#: Names of the dictionary of interaction types.
TYPE_DICTIONARIES: Final = frozenset(
    {"activity_type", "activity_types", "activity-types", "interaction_type", "interaction_types"}
)
_UNTITLED: Final = "Untitled deal"
_NO_TYPE: Final = "note"


def customer(values: Values, notes: list[str]) -> dict[str, Any]:
    """The ``entity.upsert`` of a row of ``customer_entities``."""
    identity = values.identity("id")
    kind = (values.text("kind") or "").strip().lower()
    if kind not in _KINDS:
        notes.append("kind_defaulted")
        kind = "person"
    name = _cut("display_name", values, _NAME, notes)
    if name is None:
        notes.append("display_name_defaulted")
        name = placeholder(identity)["displayName"]
    data = {
        "id": identity,
        "kind": kind,
        "displayName": name,
        "primaryEmail": _short("primary_email", values, _EMAIL, notes),
        "primaryPhone": _short("primary_phone", values, _SHORT, notes),
        "ownerUserId": values.reference("owner_user_id"),
    }
    return _command(ENTITY_UPSERT, values, identity, data)


def deal(values: Values, entity_id: str, notes: list[str]) -> dict[str, Any]:
    """The ``deal.upsert`` of a row of ``customer_deals``."""
    title = _cut("title", values, _TITLE, notes)
    if title is None:
        notes.append("title_defaulted")
    data = {
        "id": values.identity("id"),
        "title": title or _UNTITLED,
        "status": _short("status", values, _SHORT, notes),
    }
    return _command(DEAL_UPSERT, values, entity_id, data)


def interaction_type(values: Values, notes: list[str]) -> dict[str, Any] | None:
    """The ``interaction_type.upsert`` of a dictionary entry; ``None`` for a value without letters."""
    text = values.text("value") or ""
    code = legacy_type(text, None)
    if code == _NO_TYPE != text.strip().lower():
        return None
    if code != text:
        notes.append("value_normalised")
    color = values.text("color")
    data = {
        "interactionType": code,
        "label": _cut("label", values, _SHORT, notes),
        "icon": _short("icon", values, _SHORT, notes),
        "color": legacy_color(color),
    }
    if color is not None and data["color"] is None:
        notes.append("color_dropped")
    return _command(TYPE_UPSERT, values, values.identity("organization_id"), data)


def type_key(command: dict[str, Any]) -> str:
    """Key of a dictionary entry: two spellings of one type have the same."""
    code = command["data"]["interactionType"]
    return derive_id("import-type", command["tenantid"], command["organizationid"], escaped(code))


def _command(kind: str, values: Values, entity_id: str, data: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in data.items() if value is not None}
    tenant, organization = values.identity("tenant_id"), values.identity("organization_id")
    content = orjson.dumps(given, option=orjson.OPT_SORT_KEYS).decode()
    return {
        "specversion": "1.0",
        "id": derive_id("import", kind, tenant, organization, entity_id, content),
        "type": kind,
        "source": _SOURCE,
        "tenantid": tenant,
        "organizationid": organization,
        "entityid": entity_id,
        "data": given,
    }


def _cut(column: str, values: Values, longest: int, notes: list[str]) -> str | None:
    """A text that is not blank, truncated to the longest that is allowed."""
    text = values.text(column)
    if text is None or not text.strip():
        return None
    if len(text) <= longest:
        return text
    notes.append(f"{column}_truncated")
    return text[: longest - 1] + "…"


def _short(column: str, values: Values, longest: int, notes: list[str]) -> str | None:
    """A text that means nothing when it is cut: dropped if it is too long."""
    text = values.text(column)
    if text is None or len(text) <= longest:
        return text
    notes.append(f"{column}_dropped")
    return None
