"""CSV directories for the import, with defaults for the columns that a test does not care about."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any, Final

from tests.harness.wire import ORGANIZATION, TENANT, new_id

_SCOPE: Final = {"tenant_id": TENANT, "organization_id": ORGANIZATION}
_TIMES: Final = {"created_at": "2024-02-01T10:00:00Z", "updated_at": "2024-02-03 10:00:00+00"}
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "customer_entities": {**_SCOPE, "kind": "person", "display_name": "A"},
    "customer_dictionary_entries": {**_SCOPE, "kind": "activity_types", "value": "visit", "label": "Visit"},
    "customer_deals": {**_SCOPE, "title": "Deal", "status": "open"},
    "customer_deal_people": {},
    "customer_deal_companies": {},
    "customer_interactions": {**_SCOPE, "interaction_type": "call", "status": "planned", **_TIMES},
    "customer_activities": {**_SCOPE, "activity_type": "call", **_TIMES},
    "customer_todo_links": {**_SCOPE, "todo_source": "example:todo", "created_at": _TIMES["created_at"]},
    "todos": {**_SCOPE, "title": "Send the offer", "is_done": "false", **_TIMES},
    "sync_external_id_mappings": {
        **_SCOPE,
        "integration_id": "trello",
        "internal_entity_type": "customers:customer_interaction",
        "external_id": "card",
    },
}
_WITH_ID: Final = frozenset(
    {"customer_entities", "customer_deals", "customer_interactions", "customer_activities",
     "customer_todo_links", "todos"}
)  # fmt: skip


def write_table(folder: Path, table: str, *rows: dict[str, Any], compress: bool = False) -> list[str]:
    """Write the file of a table; return the ids of its rows."""
    complete = [
        {**({"id": new_id()} if table in _WITH_ID else {}), **_DEFAULTS[table], **row} for row in rows
    ]
    names = list(dict.fromkeys(name for row in complete for name in row))
    path = folder / f"{table}.csv{'.gz' if compress else ''}"
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(complete)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if compress else content)
    return [row.get("id", "") for row in complete]
