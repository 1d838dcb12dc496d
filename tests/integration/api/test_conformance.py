"""Generated requests, valid and invalid: every response conforms to the OpenAPI document.

``make contract`` runs thousands of cases; ``INTERACTIONS_CONTRACT_CASES`` sets their number per operation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.openapi import current_document
from runtime.settings import Settings
from tests.harness.gateway import ALL_FEATURES, Gateway, token
from tests.harness.wire import event, new_id, outcomes
from tests.integration.api.signal_desk import attach_draft

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(1800)]

CASES = int(os.environ.get("INTERACTIONS_CONTRACT_CASES", "6"))
DOCUMENT = current_document()
# A stream never ends.
# An addition needs the connectors and their key, which these servers lack.
SCHEMA = (
    schemathesis.openapi.from_dict(DOCUMENT)
    .exclude(path="/api/customers/stream")
    .exclude(path="/api/customers/integrations", method="POST")
)
_FOUND = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]
OPERATIONS = {f"{operation.method.upper()} {operation.path}": operation for operation in _FOUND}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def world(pipeline: Settings, gateway: Gateway) -> Iterator[dict[str, Any]]:
    """A separate tenant, because these requests write arbitrary data."""
    scope: dict[str, Any] = {"tenant": new_id(), "organization": new_id()}
    ids = {name: new_id() for name in ("entityId", "dealId", "id", "signalId")}
    ids["interactionId"] = ids["id"]
    entity = ids["entityId"]
    made = [
        event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "Erika"}, **scope),
        event("deal.upsert", entity, {"id": ids["dealId"], "title": "Deal"}, **scope),
        event("interaction.create", entity, {"id": ids["id"], "interactionType": "call"}, **scope),
    ]
    assert {result["outcome"] for result in outcomes(pipeline, made)} == {"applied"}
    ids["draftId"] = attach_draft(pipeline, entity, ids["id"], ids["signalId"], **scope)
    bearer = token(features=(*ALL_FEATURES, "*"), **scope)
    with requests.Session() as session:
        yield {
            "session": session,
            "ids": ids,
            "headers": {"Authorization": f"Bearer {bearer}"},
            "url": gateway.url,
        }


def test_every_operation_is_here() -> None:
    described = {
        f"{method.upper()} {path}"
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if path != "/api/customers/stream"
    }
    assert {*OPERATIONS, "POST /api/customers/integrations"} == described
    assert len(described) >= 20


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_answers_are_documented(name: str, world: dict[str, Any]) -> None:
    operation = OPERATIONS[name]
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )

    @seed(20260301)
    @settings(
        max_examples=CASES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, known=st.booleans())
    def ask(case: Case[Any], known: bool) -> None:
        if known:
            _name_what_there_is(case, world["ids"])
        headers = {**world["headers"]}
        answer = case.call(base_url=world["url"], session=world["session"], headers=headers)
        case.validate_response(answer, checks=CHECKS)

    ask()


def _name_what_there_is(case: Case[Any], ids: dict[str, str]) -> None:
    """Replace ids by ids of existing rows, so that requests get past the lookups."""
    path = case.operation.path
    own = next((ids[f"{kind}Id"] for kind in ("signal", "draft") if f"/{kind}s" in path), ids["id"])
    if "generated-drafts" in path:
        own = ids["draftId"]
    for part in (case.body, case.query, case.path_parameters):
        if isinstance(part, dict):
            for name in part:
                if name == "id":
                    part[name] = own
                elif name in ids:
                    part[name] = ids[name]
                elif name.endswith("_id") and name != "command_id":
                    part[name] = ids.get(to_camel(name), ids["entityId"])
