"""Completing over HTTP with feedback and a next step: one request, one undo."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest

from tests.harness.gateway import ALL_FEATURES, USER, Gateway

pytestmark = pytest.mark.integration
PATH = "/api/customers/interactions"
UNDO = "/api/audit_logs/audit-logs/actions/undo"
NEXT = {"interactionType": "call", "title": "Call back", "scheduledAt": "2027-02-01T09:00:00Z"}


def planned(client: httpx2.Client, customer: str) -> str:
    body = {"entityId": customer, "interactionType": "call", "scheduledAt": "2027-01-04T09:00:00Z"}
    answer = client.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_one_request_completes_and_plans_and_one_undo_takes_both_back(
    client: httpx2.Client, customer: str
) -> None:
    identity = planned(client, customer)
    body: dict[str, Any] = {"id": identity, "feedback": "Wants an offer", "next": NEXT}
    key = {"Idempotency-Key": f"complete-{identity}"}
    done = client.post(f"{PATH}/complete", json=body, headers=key)
    assert done.status_code == 200, done.text
    following = done.json()["plannedInteractionId"]
    first, second = client.get(f"{PATH}/{identity}").json(), client.get(f"{PATH}/{following}").json()
    assert (first["status"], first["feedback"]) == ("done", "Wants an offer")
    assert (second["status"], second["title"], second["authorUserId"]) == ("planned", "Call back", USER)
    repeated = client.post(f"{PATH}/complete", json=body, headers=key)
    assert (repeated.status_code, repeated.json()) == (200, done.json())
    token = json.loads(unquote(done.headers["x-om-operation"].removeprefix("omop:")))["undoToken"]
    assert client.post(UNDO, json={"undoToken": token}).status_code == 200
    assert client.get(f"{PATH}/{following}").status_code == 404
    assert client.get(f"{PATH}/{identity}").json()["status"] == "planned"


def test_undo_is_refused_once_the_next_step_changed(client: httpx2.Client, customer: str) -> None:
    identity = planned(client, customer)
    done = client.post(f"{PATH}/complete", json={"id": identity, "next": NEXT})
    following = done.json()["plannedInteractionId"]
    assert client.put(PATH, json={"id": following, "title": "Other"}).status_code == 200
    token = json.loads(unquote(done.headers["x-om-operation"].removeprefix("omop:")))["undoToken"]
    refused = client.post(UNDO, json={"undoToken": token})
    assert (refused.status_code, refused.json()["code"]) == (400, "undo_not_available")
    assert client.get(f"{PATH}/{identity}").json()["status"] == "done"


def test_planning_needs_its_feature_and_completes_nothing_without(
    client: httpx2.Client, gateway: Gateway, customer: str
) -> None:
    identity = planned(client, customer)
    features = [name for name in ALL_FEATURES if name != "customers.create"]
    with gateway.client(features=features) as other:
        refused = other.post(f"{PATH}/complete", json={"id": identity, "next": NEXT})
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_feature")
        assert other.get(f"{PATH}/{identity}").json()["status"] == "planned"
        assert other.post(f"{PATH}/complete", json={"id": identity}).json() == {"ok": True}


def test_an_invalid_step_is_named_by_its_pointer(client: httpx2.Client, customer: str) -> None:
    identity = planned(client, customer)
    refused = client.post(f"{PATH}/complete", json={"id": identity, "next": {"title": "x"}})
    assert refused.status_code == 400
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/next/interactionType"]
    assert client.get(f"{PATH}/{identity}").json()["status"] == "planned"
