"""Jobs over HTTP: pages, filters, progress and failures, of the caller's tenant alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from sinks.jobs.batches import Batch, record_batch
from sinks.jobs.store import claim_job, create_job, finish_job, save_job
from tests.harness.gateway import Gateway
from tests.harness.wire import new_id

pytestmark = pytest.mark.integration
JOBS = "/api/customers/jobs"
_SECRET_KIND = "of another tenant"


@dataclass
class Tenant:
    """A user of a new tenant who may see its jobs, and the database behind."""

    id: str
    organization: str
    client: httpx2.Client
    connection: Connection

    def create(self, kind: str = "recompute", organization: str | None = None) -> str:
        job = new_id()
        create_job(self.connection, job, kind, tenant_id=self.id, organization_id=organization)
        return job

    def ids(self, **filters: Any) -> list[str]:
        answer = self.client.get(JOBS, params=filters)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]


@pytest.fixture
def tenant(pipeline: Settings, gateway: Gateway) -> Iterator[Tenant]:
    identity, organization = new_id(), new_id()
    with (
        connect(pipeline, application_name="test", autocommit=True) as connection,
        gateway.client(
            tenant=identity, organization=organization, features=["customers.jobs.view"]
        ) as client,
    ):
        yield Tenant(identity, organization, client, connection)


def test_pages_and_filters(tenant: Tenant) -> None:
    made = [tenant.create("recompute" if number % 2 else "backfill") for number in range(5)][::-1]
    assert tenant.ids() == made
    pages, cursor = [], None
    while True:
        answer = tenant.client.get(JOBS, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        pages.append([item["id"] for item in answer["items"]])
        cursor = answer.get("nextCursor")
        if cursor is None:
            break
    assert pages == [made[:2], made[2:4], made[4:]]
    tenant.connection.execute("UPDATE jobs SET state = 'running' WHERE id = %s", (made[1],))
    tenant.connection.execute("UPDATE jobs SET state = 'paused' WHERE id = %s", (made[2],))
    assert tenant.ids(state="running") == [made[1]]
    assert tenant.ids(state="running,paused") == made[1:3]
    assert tenant.ids(state="waiting", kind="backfill") == [made[0], made[4]]
    unknown = tenant.client.get(JOBS, params={"state": "asleep"})
    assert (unknown.status_code, unknown.json()["errors"][0]["attribute"]) == (400, "state")
    first = tenant.client.get(JOBS, params={"limit": 2}).json()["nextCursor"]
    other = tenant.client.get(JOBS, params={"cursor": first, "kind": "backfill"})
    assert (other.status_code, other.json()["code"]) == (400, "invalid_cursor")


def test_progress_remaining_time_failures_and_report(tenant: Tenant) -> None:
    kind = f"k{tenant.id}"
    job = tenant.create(kind)
    path = f"{JOBS}/{job}"
    waiting = tenant.client.get(path).json()
    assert (waiting["state"], waiting["total"], waiting["remainingSeconds"]) == ("waiting", None, None)
    assert claim_job(tenant.connection, [kind]) is not None
    report = {"customers": {"checked": 300}}
    save_job(tenant.connection, job, cursor=None, done=300, total=900, report=report, seconds=3.0)
    batch = Batch(number=4, source="customers", after_key=None, last_key=new_id(), rows=100)
    for _ in range(2):
        record_batch(tenant.connection, job, batch, error="It was refused.", report={}, seconds=1.0)
    running = tenant.client.get(path).json()
    assert (running["state"], running["done"], running["total"]) == ("running", 300, 900)
    assert (running["rowsPerSecond"], running["remainingSeconds"]) == (100.0, 6.0)
    assert running["report"] == report
    assert running["failedBatches"] == 1
    assert running["failures"] == [{"number": 4, "rows": 100, "attempts": 2, "error": "It was refused."}]
    finish_job(tenant.connection, job, "failed", "It cannot go on.")
    (failed,) = tenant.client.get(JOBS).json()["items"]
    assert (failed["state"], failed["reason"], failed["remainingSeconds"]) == (
        "failed",
        "It cannot go on.",
        None,
    )
    assert failed["finishedAt"] is not None


def test_a_tenant_sees_its_own_jobs_alone(tenant: Tenant) -> None:
    foreign = {
        "another tenant": new_id(),
        "all tenants": new_id(),
    }
    create_job(tenant.connection, foreign["another tenant"], _SECRET_KIND, tenant_id=new_id())
    create_job(tenant.connection, foreign["all tenants"], _SECRET_KIND)
    mine, whole, elsewhere = (
        tenant.create(organization=tenant.organization),
        tenant.create(),
        tenant.create(organization=new_id()),
    )
    assert sorted(tenant.ids()) == sorted([mine, whole])
    unused = tenant.client.get(f"{JOBS}/{new_id()}")
    assert unused.status_code == 404
    for identity in (*foreign.values(), elsewhere):
        answer = tenant.client.get(f"{JOBS}/{identity}")
        assert (answer.status_code, answer.json()["detail"]) == (404, unused.json()["detail"])
        assert _SECRET_KIND not in answer.text
    assert tenant.client.get(JOBS, params={"kind": _SECRET_KIND}).json() == {"items": []}
