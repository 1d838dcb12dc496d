"""Conversion of legacy rows (activities, todo links, another installation's interactions) to create commands.

The old tables hold values that today's limits reject. Each value is changed as little as its field allows,
and its fate is noted for the loss report. The legacy row itself stays in the frozen table. The rules:

- A type keeps its letters, digits and ``. : _``, at most 100 characters. If none remain, or a strict
  dictionary does not have the type, it becomes ``note`` and a last line of the body names the old type.
- Title and body are truncated to 500 and 10,000 characters, ending in ``…``.
- A colour is read as ``#RGB``, ``#RRGGBB`` or ``#RRGGBBAA``, with or without ``#``, and otherwise dropped.
  An icon of more than 100 characters is dropped.
- A deal of another customer is dropped.
- An instant outside 1900–2199 is dropped. An update in the future counts as now.
- A priority is a number, moved into 0–100, or a word; a word counts as a severity. Any other is dropped.
- A status that means neither done nor canceled is ``planned``.
- A todo that cannot be found is a task titled ``Task from <source>``; its body names the id of the todo.
- An unknown customer becomes a placeholder entity, which a later ``entity.upsert`` completes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from schemas.identity import derive_id
from schemas.instants import EARLIEST, LATEST, format_instant
from schemas.type_codes import normalize_interaction_type

Fate = Literal["copied", "normalised", "defaulted", "dropped"]

#: Kinds of legacy rows and the ``source`` of the interactions that they become.
SOURCES: Final = {
    "activity": "migration:activity",
    "todo": "migration:todo_link",
    "interaction": "migration:interaction",
}
TASK: Final = "task"
#: Words for severities, and their priorities.
SEVERITIES: Final = {"low": 25, "medium": 50, "high": 75, "critical": 100}
_PRIORITY_WORDS: Final = {**SEVERITIES, "normal": 50, "urgent": 100}
#: Other systems' words for ``done`` and ``canceled``; all others mean ``planned``.
DONE: Final = ("done", "completed")
CANCELED: Final = ("canceled", "cancelled")
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


@dataclass(frozen=True, slots=True)
class Conversion:
    """Data of the ``interaction.create`` that migrates a row, and the fate of each value.

    :param data: as sent, without fields that have no value.
    :param fates: column of the legacy row → what became of its value; columns without a value are left out.
    """

    data: dict[str, Any]
    fates: dict[str, Fate]


def convert(row: Mapping[str, Any], facts: StoredFacts, now: datetime) -> Conversion:
    """Convert one legacy row.

    :param row: columns of ``sinks.legacy_rows``, with aware instants.
    """
    fates: dict[str, Fate] = {}
    kind = row["kind"]
    code, old_type = _type(row["interaction_type"], facts.types)
    if kind != "todo":
        fates["interaction_type"] = "copied" if code == row["interaction_type"] else "normalised"
    title, body = row["title"], row["body"]
    if kind == "todo" and not row["found"]:
        title, body = f"Task from {row['todo_source']}", f"Not found: todo {row['todo_id']}"
        fates["title"] = "defaulted"
    elif kind == "todo" and not title:
        title = f"Task from {row['todo_source']}"
        fates["title"] = "defaulted"
    status = _status(row, fates)
    updated, created = row["updated_at"], row["created_at"]
    data = {
        "id": row["id"],
        "interactionType": code,
        "title": _kept("title", title, _cut(title, _TITLE), fates),
        "body": _kept("body", body, _body(body, old_type), fates),
        "status": status,
        "scheduledAt": _kept("scheduled_at", row["scheduled_at"], _instant(row["scheduled_at"]), fates),
        "occurredAt": _kept("occurred_at", row["occurred_at"], _instant(row["occurred_at"]), fates),
        "priority": _priority(row, fates),
        "dealId": _kept("deal_id", row["deal_id"], row["deal_id"] if facts.deal_known else None, fates),
        "authorUserId": _kept("author_user_id", row["author_user_id"], row["author_user_id"], fates),
        "ownerUserId": _kept("owner_user_id", row["owner_user_id"], row["owner_user_id"], fates),
        "appearanceIcon": _kept(
            "appearance_icon", row["appearance_icon"], _short(row["appearance_icon"]), fates
        ),
        "appearanceColor": _kept(
            "appearance_color", row["appearance_color"], _color(row["appearance_color"]), fates
        ),
        "source": SOURCES[kind],
        "createdAt": _kept("created_at", created, _instant(created), fates),
        "updatedAt": _kept("updated_at", updated, _instant(updated), fates),
    }
    if status == "done" and data["occurredAt"] is None:
        # The last change is the best that is known about the time of the completion.
        data["occurredAt"] = data["updatedAt"] or data["createdAt"]
        fates["occurred_at"] = "defaulted"
    as_of = data["updatedAt"]
    data["sourceTimestamp"] = as_of if as_of is not None and as_of <= now else None
    fates.update(dict.fromkeys(row["unreadable"], "dropped"))
    if not facts.customer_known:
        fates["entity_id"] = "defaulted"
    sent = {
        name: format_instant(value) if isinstance(value, datetime) else value
        for name, value in data.items()
        if value is not None
    }
    return Conversion(sent, fates)


def command_id(
    tenant_id: str, organization_id: str, entity_id: str, data: Mapping[str, Any], generation: int = 0
) -> str:
    """Id of a command that moves a row: derived from its content, so that a repetition is a duplicate.

    A command that was rejected under older rules, or before the customer was known, has other content and
    therefore another id: it does not block this one.

    :param generation: last version of the interaction, if a rollback deleted it; a further move is another
        command.
    """
    content = orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()
    repeated = (str(generation),) if generation else ()
    return derive_id("move", tenant_id, organization_id, entity_id, content, *repeated)


def placeholder(entity_id: str) -> dict[str, Any]:
    """Data of the ``entity.upsert`` for a customer of which only the id is known."""
    return {"id": entity_id, "kind": "person", "displayName": f"Unknown customer {entity_id[:8]}"}


def placeholder_ids(tenant_id: str, organization_id: str, entity_id: str) -> tuple[str, str]:
    """Ids for a placeholder: the customer's own, and another one for when that is not available."""
    return entity_id, derive_id("legacy-customer", tenant_id, organization_id, entity_id)


def legacy_type(text: str, known: frozenset[str] | None) -> str:
    """The type code that a legacy type becomes."""
    return _type(text, known)[0]


def legacy_color(text: str | None) -> str | None:
    """The colour that a legacy colour becomes; ``None`` for one that cannot be read."""
    return _color(text)


def _kept(column: str, given: Any, kept: Any, fates: dict[str, Fate]) -> Any:
    """Note the fate of a value, unless it has one, and return what is kept of it."""
    if given is not None and column not in fates:
        fates[column] = "copied" if kept == given else "dropped" if kept is None else "normalised"
    return kept


def _status(row: Mapping[str, Any], fates: dict[str, Fate]) -> str:
    given: str = row["status"]
    word = given.strip().lower()
    status = "done" if word in DONE else "canceled" if word in CANCELED else "planned"
    if row["kind"] == "interaction":
        fates["status"] = "copied" if status == given else "normalised"
    return status


def _priority(row: Mapping[str, Any], fates: dict[str, Fate]) -> int | None:
    """The priority as a number of 0–100; without one, the priority that stands for the severity."""
    found: dict[str, int | None] = {}
    for column in ("priority", "severity"):
        text = row[column]
        if text is None or not (text := str(text).strip()):
            continue
        number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,9}", text) else _PRIORITY_WORDS.get(text.lower())
        found[column] = value = None if number is None else max(0, min(100, number))
        fates[column] = "dropped" if value is None else "copied" if str(value) == text else "normalised"
    if found.get("priority") is not None and found.get("severity") is not None:
        fates["severity"] = "dropped"
    priority = found.get("priority")
    return priority if priority is not None else found.get("severity")


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
