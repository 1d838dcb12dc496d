"""``POST /api/customers/jobs/bulk``: nothing starts that was not confirmed, and a repeat starts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from sinks.jobs.store import find_job, request_job
from tests.harness.gateway import ALL_FEATURES, USER, Gateway
from tests.harness.roles import running, wait_until
from tests.harness.wire import event, new_id, outcomes

pytestmark = pytest.mark.integration
PATH = "/api/customers/jobs/bulk"


@pytest.fixture
def client(pipeline: Settings, gateway: Gateway) -> Iterator[httpx2.Client]:
    """A user of a new tenant with three planned calls and a meeting."""
    scope = {"tenantid": new_id(), "organizationid": new_id()}
    entity = new_id()
    messages = [event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}, **scope)]
    for kind in ("call", "call", "call", "meeting"):
        data = {"interactionType": kind, "title": "T", "scheduledAt": "2031-01-01T09:00:00Z"}
        messages.append(event("interaction.create", entity, data, **scope))
    assert {it["outcome"] for it in outcomes(pipeline, messages)} == {"applied"}
    features = [*ALL_FEATURES, "customers.jobs.view"]
    with gateway.client(
        tenant=scope["tenantid"], organization=scope["organizationid"], features=features
    ) as found:
        yield found


def body(count: int = 3, action: str = "complete", **changes: Any) -> dict[str, Any]:
    return {
        "action": action,
        "filter": {"interactionTypes": ["call"]},
        "expectedCount": count,
        **changes,
    }


def test_a_confirmed_action_is_carried_out_once(client: httpx2.Client, pipeline: Settings) -> None:
    key = {"Idempotency-Key": new_id()}
    answer = client.post(PATH, json=body(), headers=key)
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["jobId"]
    with running(pipeline, "jobs"), connect(pipeline, application_name="t", autocommit=True) as connection:

        def completed() -> bool:
            job = find_job(connection, job_id)
            assert job is not None
            return job.state == "completed"

        wait_until(completed, 60)
        job = find_job(connection, job_id)
    assert job is not None
    assert (job.requested_by, job.report["tasks"]) == (USER, {"applied": 3})
    left = client.get("/api/customers/interactions", params={"status": "planned"}).json()["items"]
    assert [it["interactionType"] for it in left] == ["meeting"]
    # None matches now, and yet the repeated request gets its first response.
    repeated = client.post(PATH, json=body(), headers=key)
    assert (repeated.status_code, repeated.json()["jobId"]) == (202, job_id)
    shown = client.get(f"/api/customers/jobs/{job_id}").json()
    assert (shown["kind"], shown["state"], shown["done"], shown["total"]) == ("bulk", "completed", 3, 3)


def test_a_key_with_another_content_is_refused(client: httpx2.Client, pipeline: Settings) -> None:
    """The job of the first request must not pass for one of the second, which would never run."""
    key = {"Idempotency-Key": new_id()}
    searching: dict[str, Any] = {"filter": {"interactionTypes": ["call"], "search": "T"}}
    answer = client.post(PATH, json=body(**searching), headers=key)
    assert answer.status_code == 202, answer.text
    others = [
        body(action="cancel", **searching),
        body(4, **searching),
        body(),
        body(filter={"interactionTypes": ["call"], "search": "U"}),
        body(action="reassign", ownerUserId=USER, **searching),
    ]
    for other in others:
        refused = client.post(PATH, json=other, headers=key)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_conflict")
    with connect(pipeline, application_name="t", autocommit=True) as connection:
        assert request_job(connection, answer.json()["jobId"], "cancel")
    # A job that is over has forgotten its search text.
    assert client.post(PATH, json=body(**searching), headers=key).json() == answer.json()
    assert client.post(PATH, json=body(action="cancel", **searching), headers=key).status_code == 422
    (only,) = client.get("/api/customers/jobs").json()["items"]
    assert only["id"] == answer.json()["jobId"]


def test_a_key_belongs_to_its_user(client: httpx2.Client, gateway: Gateway, pipeline: Settings) -> None:
    key = {"Idempotency-Key": new_id()}
    mine = client.post(PATH, json=body(), headers=key).json()["jobId"]
    with connect(pipeline, application_name="t", autocommit=True) as connection:
        job = find_job(connection, mine)
    assert job is not None
    assert job.tenant_id is not None
    assert job.organization_id is not None
    scope = {"tenant": job.tenant_id, "organization": job.organization_id}
    with gateway.client(**scope, user=new_id(), features=ALL_FEATURES) as other:
        assert other.post(PATH, json=body(), headers=key).json()["jobId"] != mine


def test_another_number_than_confirmed_starts_nothing(client: httpx2.Client) -> None:
    answer = client.post(PATH, json=body(4))
    assert (answer.status_code, answer.json()["code"]) == (409, "count_changed")
    assert client.get("/api/customers/jobs").json()["items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        body(action="snooze"),
        body(action="snooze", day="2031-02-02", timeZone="Mars/Base"),
        body(action="snooze", day="0001-01-01", timeZone="Europe/Berlin"),
        body(action="snooze", day="9999-12-31", timeZone="America/New_York"),
        body(action="snooze", day="2199-12-31", timeZone="America/New_York"),
        body(action="reassign"),
        body(ownerUserId=None),
        body(day="2031-02-02", timeZone="Europe/Berlin"),
        body(action="delete"),
        {**body(), "filter": {"scheduled": False, "scheduledFrom": "2031-01-01T00:00:00Z"}},
        {**body(), "filter": {"status": "done"}},
    ],
)
def test_an_action_without_what_it_needs(client: httpx2.Client, wrong: dict[str, Any]) -> None:
    assert client.post(PATH, json=wrong).status_code == 400
    assert client.get("/api/customers/jobs").json()["items"] == []


def test_readers_start_nothing(client: httpx2.Client, gateway: Gateway) -> None:
    with gateway.client(features=["customers.view", "customers.jobs.view"]) as reader:
        assert reader.post(PATH, json=body()).status_code == 403
