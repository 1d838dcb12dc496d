"""Validate every read response of a client against its model in the OpenAPI document, strictly."""

from __future__ import annotations

import re
from typing import Final

import httpx2

from api.response_models import ResponseModel
from api.routes.commands import CommandFate
from api.routes.customer_models import CompanyDetail, CustomerPage, PersonDetail
from api.routes.deal_models import Deal, DealPage
from api.routes.deprecated_models import ActivityPage, TodoPage
from api.routes.explain import Explanation
from api.routes.flags import FlagList
from api.routes.interaction_models import Interaction, InteractionPage
from api.routes.interaction_types import TypeList
from api.routes.widgets import NextWidget, TodoWidget

_ID: Final = r"[0-9a-f-]{36}"
_MODELS: Final[dict[str, type[ResponseModel]]] = {
    r"interactions": InteractionPage,
    rf"interactions/{_ID}": Interaction,
    rf"commands/{_ID}": CommandFate,
    r"people": CustomerPage,
    r"companies": CustomerPage,
    rf"people/{_ID}": PersonDetail,
    rf"companies/{_ID}": CompanyDetail,
    r"deals": DealPage,
    rf"deals/{_ID}": Deal,
    r"interaction-types": TypeList,
    r"flags": FlagList,
    r"activities": ActivityPage,
    r"todos": TodoPage,
    r"dashboard/widgets/next-interactions": NextWidget,
    r"dashboard/widgets/customer-todos": TodoWidget,
    rf"(entities|people|companies)/{_ID}/next-interaction/explain": Explanation,
}


def check_responses(client: httpx2.Client) -> None:
    """Check every successful read that the client makes from here on."""
    client.event_hooks = {"response": [_check]}


def _check(response: httpx2.Response) -> None:
    if response.request.method != "GET" or response.status_code != 200:
        return
    path = response.request.url.path.removeprefix("/api/customers/")
    model = next((found for pattern, found in _MODELS.items() if re.fullmatch(pattern, path)), None)
    if model is not None:
        model.model_validate_json(response.read(), strict=True)
