"""One person or company, with the parts that the caller includes."""

from __future__ import annotations

from itertools import chain
from typing import Any, Final, Literal

from api.adapters.old_items import activity, old_instant
from api.customer_items import customer, deal
from api.feature_flags import legacy_shows
from api.interaction_items import enriched, interaction_item, mirrors_of
from api.principal import Principal
from api.queries.customer_detail import deals_of, entity, views_of
from api.queries.interaction_views import LEGACY_TODO, View
from api.services import Services
from schemas.errors import Reject

Row = dict[str, Any]
#: Include token → its view. ``deals`` is not a view.
_VIEWS: Final[dict[str, View]] = {
    "interactions": "interactions",
    "activities": "activities",
    "todos": "todos",
    "tasks": "todos",
}


def tokens_of(include: list[str]) -> set[str]:
    """The tokens of all ``include`` parameters. Unknown ones are ignored, as they always were."""
    return {token.strip().lower() for text in include for token in text.split(",")}


async def customer_detail(
    services: Services,
    principal: Principal,
    entity_id: str,
    kind: Literal["person", "company"],
    include: list[str],
) -> Row:
    """The response of both detail routes. At most five statements.

    :raises Reject: the caller's organization has no such person or company (404).
    """
    tokens = tokens_of(include)
    views = tuple(dict.fromkeys(view for token, view in _VIEWS.items() if token in tokens))
    legacy = await legacy_shows(services, principal)
    async with services.reads.connection() as connection:
        row = await entity(connection, principal.scope, entity_id)
        if row is None or row["kind"] != kind:
            raise not_found(kind)
        deals = await deals_of(connection, principal.scope, entity_id) if "deals" in tokens else None
        found = await views_of(connection, principal.scope, entity_id, views, legacy=legacy)
        mirrors = await mirrors_of(connection, principal, chain.from_iterable(found.values()))
    counts: dict[str, int] = {view: rows[0]["total"] if rows else 0 for view, rows in found.items()}
    if deals is not None:
        counts["deals"] = len(deals)
    return {
        "interactionMode": "legacy" if legacy else "canonical",
        kind: customer(row),
        "interactions": [
            enriched(_interaction(item, principal), mirrors) for item in found.get("interactions", [])
        ],
        "activities": [enriched(activity(item), mirrors) for item in found.get("activities", [])],
        "todos": [enriched(_todo(item, principal), mirrors) for item in found.get("todos", [])],
        "deals": [deal(item) for item in deals or []],
        "counts": counts,
        "viewer": {"userId": principal.subject, "name": None, "email": None},
    }


def not_found(kind: str) -> Reject:
    """404. An id of another tenant and an unused id get the same response."""
    return Reject("entity_not_found", f"There is no {kind} with this id.", status=404)


def _todo(row: Row, principal: Principal) -> Row:
    """A todo in the format of the detail response."""
    known = row["source"] != LEGACY_TODO
    due = old_instant(row["scheduled_at"])
    custom = {"priority": row["priority"], "description": row["body"], "due_at": due}
    return {
        "id": row["id"],
        "todoId": row["todo_id"],
        "todoSource": row["todo_source"],
        "createdAt": old_instant(row["created_at"]),
        "createdByUserId": row["author_user_id"],
        "title": row["title"],
        "isDone": row["status"] == "done" if known else None,
        "priority": row["priority"],
        "severity": None,
        "description": row["body"],
        "dueAt": due,
        "todoOrganizationId": principal.organization_id if known else None,
        "customValues": custom if known else None,
    }


def _interaction(row: Row, principal: Principal) -> Row:
    return interaction_item(
        {**row, "organization_id": principal.organization_id, "tenant_id": principal.tenant_id}
    )
