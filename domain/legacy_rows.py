"""Conversion rules for legacy activities and todo links: every row becomes a valid create command.

The old tables hold values that today's limits reject. Each value is changed as little as its field allows.
The legacy row itself stays unchanged in the frozen table. The rules:

- A type keeps its letters, digits and ``. : _``, at most 100 characters. If none remain, or a strict
  dictionary does not have the type, it becomes ``note`` and a last line of the body names the old type.
- Title and body are truncated to 500 and 10,000 characters, ending in ``…``.
- A colour is read as ``#RGB``, ``#RRGGBB`` or ``#RRGGBBAA``, with or without ``#``, and otherwise dropped.
  An icon of more than 100 characters is dropped.
- A deal of another customer is dropped.
- An instant outside 1900–2199 is dropped. ``createdAt`` is kept. An update in the future counts as now.
- An unknown customer becomes a placeholder entity, which a later ``entity.upsert`` completes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.identity import derive_id
from schemas.instants import EARLIEST, LATEST
from schemas.type_codes import normalize_interaction_type

LEGACY_ACTIVITY: Final = "legacy:activity"
_TITLE, _BODY, _SHORT = 500, 10_000, 100
_FALLBACK: Final = "note"
_COLOR: Final = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """Stored rows that a legacy row refers to.

    :param customer_known: the customer exists in this tenant and organization.
    :param deal_known: the deal exists and belongs to that customer.
    :param types: codes of a strict dictionary; ``None`` when the dictionary is open.
    """

    customer_known: bool
    deal_known: bool
    types: frozenset[str] | None


def create_data(row: Mapping[str, Any], facts: StoredFacts, now: datetime) -> dict[str, Any]:
    """Data of the ``interaction.create`` that migrates a legacy row; fields without a value are omitted.

    :param row: columns of ``api.queries.interaction_views``, with aware instants.
    """
    code, old_type = _type(row["interaction_type"], facts.types)
    updated = _instant(row["updated_at"])
    data = {
        "id": row["id"],
        "interactionType": code,
        "title": _cut(row["title"], _TITLE),
        "body": _body(row["body"], old_type),
        "status": row["status"],
        "scheduledAt": _instant(row["scheduled_at"]),
        "occurredAt": _instant(row["occurred_at"]),
        "priority": row["priority"],
        "dealId": row["deal_id"] if facts.deal_known else None,
        "authorUserId": row["author_user_id"],
        "appearanceIcon": _short(row["appearance_icon"]),
        "appearanceColor": _color(row["appearance_color"]),
        "source": "migration:activity" if row["source"] == LEGACY_ACTIVITY else "migration:todo_link",
        "createdAt": _instant(row["created_at"]),
        "sourceTimestamp": updated if updated is not None and updated <= now else None,
    }
    return {name: value for name, value in data.items() if value is not None}


def placeholder(entity_id: str) -> dict[str, Any]:
    """Data of the ``entity.upsert`` for a customer of which only the id is known."""
    return {"id": entity_id, "kind": "person", "displayName": f"Unknown customer {entity_id[:8]}"}


def placeholder_id(tenant_id: str, organization_id: str, entity_id: str) -> str:
    """Id of a placeholder entity when the customer's own id is not available."""
    return derive_id("legacy-customer", tenant_id, organization_id, entity_id)


def _type(text: str, known: frozenset[str] | None) -> tuple[str, str | None]:
    """The type code, and the old text when the code does not represent it."""
    # Truncate before and after: NFKC can lengthen a text.
    cleaned = re.sub(r"[^\w\s.:\-]+", " ", unicodedata.normalize("NFKC", text)).strip(" .:-_\t\r\n")
    for candidate in (text, cleaned):
        try:
            code = normalize_interaction_type(candidate[:_SHORT])[:_SHORT].rstrip("_")
        except ValueError:
            continue
        return (code, None) if known is None or code in known else (_FALLBACK, text)
    return _FALLBACK, text.strip() or None


def _body(text: str | None, old_type: str | None) -> str | None:
    if old_type is None:
        return _cut(text, _BODY)
    line = f"Type: {_cut(old_type, _SHORT)}"
    return f"{_cut(text, _BODY - len(line) - 2)}\n\n{line}" if text else line


def _cut(text: str | None, longest: int) -> str | None:
    return text if text is None or len(text) <= longest else text[: longest - 1] + "…"


def _short(text: str | None) -> str | None:
    return text if text is not None and len(text) <= _SHORT else None


def _color(text: str | None) -> str | None:
    match = _COLOR.fullmatch(text.strip()) if text is not None else None
    if match is None:
        return None
    digits = match[1] if len(match[1]) > 3 else "".join(digit * 2 for digit in match[1])
    return f"#{digits[:6]}"


def _instant(value: datetime | None) -> datetime | None:
    return value if value is not None and EARLIEST <= value < LATEST else None
