"""Explain a customer's next interaction: the candidates in derivation order."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request

from api.authorization import authorized_router, require_features
from api.instants import instant_text
from api.principal import Principal
from api.queries import explain
from api.queries.customer_detail import entity
from api.response_models import Id, ResponseModel, Timestamp, responses_of
from api.services import ServicesDep
from schemas.errors import Reject
from schemas.values import UuidText

router = authorized_router("next interaction")

_ORDER: Final = ("scheduledAt asc", "priority desc, none last", "createdAt asc", "id asc")
_PATHS: Final = {"people": "person", "companies": "company"}
_COLUMNS: Final = (("scheduledAt", "scheduled_at"), ("priority", "priority"), ("createdAt", "created_at"))


class NextInteraction(ResponseModel):
    """The stored projection."""

    interaction_id: Id
    at: Timestamp
    name: str
    icon: str | None
    color: str | None


class Candidate(ResponseModel):
    """A planned interaction with a schedule, and the reason why it wins or loses."""

    place: int
    interaction_id: Id
    interaction_type: str
    title: str | None
    scheduled_at: Timestamp
    priority: int | None
    created_at: Timestamp
    wins: bool
    decided_by: Literal["scheduledAt", "priority", "createdAt", "id"] = "id"
    reason: str


class NotCandidates(ResponseModel):
    """Counts of interactions that are not candidates, by reason."""

    planned_without_schedule: int
    done: int
    canceled: int


class Explanation(ResponseModel):
    """The derivation of a customer's next interaction."""

    entity_id: Id
    entity_version: int
    next_interaction: NextInteraction | None
    order: list[str]
    candidates: list[Candidate]
    candidate_count: int
    not_candidates: NotCandidates


@router.get(
    "/api/customers/entities/{entity_id}/next-interaction/explain",
    responses=responses_of(Explanation, status_404="No such customer"),
)
@router.get(
    "/api/customers/people/{entity_id}/next-interaction/explain",
    responses=responses_of(Explanation, status_404="No such person"),
)
@router.get(
    "/api/customers/companies/{entity_id}/next-interaction/explain",
    responses=responses_of(Explanation, status_404="No such company"),
)
async def explain_next(
    entity_id: UuidText,
    request: Request,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """The stored projection, and each candidate with the reason why it wins or loses."""
    async with services.reads.connection() as connection:
        row = await entity(connection, principal.scope, entity_id)
        if row is None or _PATHS.get(request.url.path.split("/")[3], row["kind"]) != row["kind"]:
            raise Reject("entity_not_found", "There is no customer with this id.", status=404)
        found, others = await explain.candidates(connection, principal.scope, entity_id, limit)
    return {
        "entityId": row["id"],
        "entityVersion": row["entity_version"],
        "nextInteraction": None
        if row["next_interaction_ref_id"] is None
        else {
            "interactionId": row["next_interaction_ref_id"],
            "at": instant_text(row["next_interaction_at"]),
            "name": row["next_interaction_name"],
            "icon": row["next_interaction_icon"],
            "color": row["next_interaction_color"],
        },
        "order": list(_ORDER),
        "candidates": [
            {
                "place": place,
                "interactionId": item["id"],
                "interactionType": item["interaction_type"],
                "title": item["title"],
                "scheduledAt": instant_text(item["scheduled_at"]),
                "priority": item["priority"],
                "createdAt": instant_text(item["created_at"]),
                "wins": place == 1,
                **_reason(item, found[place - 2] if place > 1 else None),
            }
            for place, item in enumerate(found, 1)
        ],
        "candidateCount": found[0]["candidates"] if found else 0,
        "notCandidates": {
            "plannedWithoutSchedule": others["unscheduled"],
            "done": others["done"],
            "canceled": others["canceled"],
        },
    }


def _reason(item: dict[str, Any], ahead: dict[str, Any] | None) -> dict[str, str]:
    """The first step of the order that separates a candidate from the one ahead of it."""
    if ahead is None:
        return {"reason": "first in the order: this is the next interaction"}
    for name, column in _COLUMNS:
        if item[column] != ahead[column]:
            return {"decidedBy": name, "reason": _sentence(name, ahead["id"])}
    return {"decidedBy": "id", "reason": _sentence("id", ahead["id"])}


def _sentence(decided_by: str, ahead: str) -> str:
    what = {
        "scheduledAt": "is scheduled later than",
        "priority": "is scheduled at the same time with a lower priority than",
        "createdAt": "has the same schedule and priority and was created after",
        "id": "has the same schedule, priority and creation time, and its id sorts after that of",
    }[decided_by]
    return f"{what} {ahead}"
