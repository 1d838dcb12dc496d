"""Repair rules for legacy activities and todo links: every row becomes a create that is accepted.

Old tables hold what today's limits refuse. A value is changed as little as its field allows, and the row
stays as it was in the frozen table. The rules, for the docs and for whatever moves rows in bulk:

- a type keeps its letters, digits and ``. : _``, at most 100; one with none of them, or that a strict
  dictionary does not have, becomes ``note``, and the body ends with a line that says the old type;
- title and body are cut at 500 and 10,000 characters, with ``…``;
- a colour is read as ``#RGB``, ``#RRGGBB`` or ``#RRGGBBAA``, with or without ``#``, or left out;
  an icon of more than 100 characters is left out;
- a deal that is not one of the customer's is left out;
- an instant outside 1900–2199 is left out; ``createdAt`` is kept, and an update in the future counts as now;
- the rows of an unknown customer get a placeholder that a later ``entity.upsert`` turns into the customer.
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
    """Stored facts around a legacy row.

    :param customer_known: its customer is one of this tenant and organization.
    :param deal_known: its deal is one of that customer's.
    :param types: the codes of a strict dictionary; ``None``: new types are added.
    """

    customer_known: bool
    deal_known: bool
    types: frozenset[str] | None


def create_data(row: Mapping[str, Any], facts: StoredFacts, now: datetime) -> dict[str, Any]:
    """The data of the ``interaction.create`` that moves a legacy row; fields without a value are left out.

    :param row: in the columns of ``api.queries.interaction_views``, instants aware.
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
    """The data of the ``entity.upsert`` for a customer of whom only an id is known."""
    return {"id": entity_id, "kind": "person", "displayName": f"Unknown customer {entity_id[:8]}"}


def placeholder_id(tenant_id: str, organization_id: str, entity_id: str) -> str:
    """The id of a placeholder where the customer's own id is not available."""
    return derive_id("legacy-customer", tenant_id, organization_id, entity_id)


def _type(text: str, known: frozenset[str] | None) -> tuple[str, str | None]:
    """The code, and the old text if the code does not say it."""
    # Cut before and after: compatibility forms can be longer than what they stand for.
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
