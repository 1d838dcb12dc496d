"""Holds every answer of a client against its shape in the OpenAPI document: nothing more, nothing less."""

from __future__ import annotations

import re
from typing import Final

import httpx2

from api import response_models as shapes

_ID: Final = r"[0-9a-f-]{36}"
_SHAPES: Final[dict[str, type[shapes.ResponseModel]]] = {
    r"interactions": shapes.InteractionPage,
    rf"interactions/{_ID}": shapes.Interaction,
    rf"commands/{_ID}": shapes.CommandFate,
    r"people": shapes.CustomerPage,
    r"companies": shapes.CustomerPage,
    rf"people/{_ID}": shapes.PersonDetail,
    rf"companies/{_ID}": shapes.CompanyDetail,
    r"deals": shapes.DealPage,
    rf"deals/{_ID}": shapes.Deal,
    r"interaction-types": shapes.TypeList,
    r"flags": shapes.FlagList,
    r"activities": shapes.ActivityPage,
    r"todos": shapes.TodoPage,
    r"dashboard/widgets/next-interactions": shapes.NextWidget,
    r"dashboard/widgets/customer-todos": shapes.TodoWidget,
    rf"(entities|people|companies)/{_ID}/next-interaction/explain": shapes.Explanation,
}


def check_responses(client: httpx2.Client) -> None:
    """Check every successful read that the client makes from now on."""
    client.event_hooks = {"response": [_check]}


def _check(response: httpx2.Response) -> None:
    if response.request.method != "GET" or response.status_code != 200:
        return
    path = response.request.url.path.removeprefix("/api/customers/")
    shape = next((found for pattern, found in _SHAPES.items() if re.fullmatch(pattern, path)), None)
    if shape is not None:
        shape.model_validate_json(response.read(), strict=True)
