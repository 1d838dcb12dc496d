"""Signals as the pages show them: with the customer, and with the person to contact."""

from __future__ import annotations

from typing import Any

from api.queries.contacts import contacts
from api.queries.keyset import After
from api.queries.scope import Connection, Row, Scope
from api.queries.signals import SIGNALS
from api.queries.status_pages import StatusPage, rows_of_page


async def with_people(connection: Connection, scope: Scope, rows: list[Row]) -> list[dict[str, Any]]:
    """Signals with their customer and the person to contact, or the reason why there is none.

    The rule is that of ``domain.signals.recipient``. A person whose name is not stored cannot be written to
    either: the drafts role would fail.
    """
    ids = [identity for row in rows for identity in (row["entity_id"], row["person_id"])]
    known = await contacts(connection, scope, ids)
    items = []
    for row in rows:
        customer = known.get(row["entity_id"])
        person, reason = known.get(row["person_id"] or ""), None
        if row["person_id"] is None and customer is not None and customer["kind"] == "person":
            person = customer
        elif person is None:
            reason = "no_person" if row["person_id"] is None else "unknown_person"
        items.append({"signal": row, "customer": customer, "person": person, "reason": reason})
    return items


async def next_waiting(connection: Connection, scope: Scope, row: Row) -> Row | None:
    """The open signal that follows this one in the list, or the first of the list."""
    for after in (After(row["detected_at"], row["id"]), None):
        page = StatusPage(
            sort="detected_at", direction="desc", limit=1, after=after, statuses=("open",), filters={}
        )
        rows, _ = await rows_of_page(connection, scope, SIGNALS, page)
        if rows and rows[0]["id"] != row["id"]:
            return rows[0]
    return None
