"""Operations over HTTP: samples of a running pipeline, and violations of the own organization."""

from __future__ import annotations

import pytest

from api.operations.sampler import OperationsSampler
from api.operations.samples import per_minute
from runtime.postgres import connect
from runtime.settings import Settings
from tests.harness.gateway import Gateway, new_customer
from tests.harness.roles import wait_until
from tests.harness.wire import event, new_id, publish

pytestmark = pytest.mark.integration
PATH = "/api/customers/operations"
VIEW = "customers.operations.view"


def test_applied_commands_appear_and_no_lag_remains(pipeline: Settings, gateway: Gateway) -> None:
    sampler = OperationsSampler(pipeline, seconds=0.05)
    sampler.start()
    try:
        wait_until(lambda: len(sampler.samples.all()) >= 2, 30, lambda: str(sampler.unavailable))
        before = sum(bucket.applied for bucket in per_minute(sampler.samples.all()))
        with gateway.client() as client:
            for _ in range(3):
                new_customer(client, pipeline)
        wait_until(
            lambda: sum(bucket.applied for bucket in per_minute(sampler.samples.all())) >= before + 3, 30
        )
        wait_until(lambda: not any(it.records for it in sampler.samples.all()[-1].partitions.values()), 30)
    finally:
        sampler.close()


def test_commands_that_nobody_applies_are_lag(world: Settings) -> None:
    entity = new_id()
    upsert = event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "Ada"})
    ((partition, _),) = publish(world, [upsert])
    sampler = OperationsSampler(world, seconds=0.05)
    sampler.start()
    try:
        wait_until(lambda: len(sampler.samples.all()) >= 1, 30, lambda: str(sampler.unavailable))
        first = sampler.samples.all()[0].partitions[partition]
        assert first.records == 1
        wait_until(lambda: sampler.samples.all()[-1].partitions[partition].seconds > first.seconds, 30)
    finally:
        sampler.close()


def test_the_gateway_reports_its_samples_and_counts_outcomes(pipeline: Settings, gateway: Gateway) -> None:
    with gateway.client(features=[VIEW]) as client:
        wait_until(lambda: client.get(PATH).json()["sampledAt"] is not None, 30)
        shown = client.get(PATH).json()
        assert shown["since"] <= shown["sampledAt"]
        assert (shown["unavailable"], len(shown["partitions"])) == (None, 6)
        assert shown["integrity"]["verdict"] == "unwatched"
        assert shown["integrity"]["green"] is False
        with gateway.client() as writer:
            new_customer(writer, pipeline)
        wait_until(
            lambda: sum(it["outcomes"]["applied"] for it in client.get(PATH).json()["minutes"]) >= 1, 40
        )
    with gateway.client(features=["customers.view"]) as other:
        assert other.get(PATH).status_code == 403


def test_violations_of_other_organizations_are_for_operators(pipeline: Settings, gateway: Gateway) -> None:
    tenant, organization = new_id(), new_id()
    with connect(pipeline, application_name="test", autocommit=True) as connection:
        for number, owner in enumerate((organization, new_id())):
            connection.execute(
                "INSERT INTO integrity_violations (id, tenant_id, organization_id, check_name, entity_id,"
                " subject, subject_id, what) VALUES (%s, %s, %s, 'A14', %s, 'interaction', %s, %s)",
                (new_id(), tenant, owner, new_id(), new_id(), f"row {number} is missing"),
            )
        try:
            with gateway.client(tenant=tenant, organization=organization, features=["customers.*"]) as user:
                own = user.get(PATH).json()["integrity"]
            with gateway.client(features=["deployment.operate"]) as operator:
                everything = operator.get(PATH).json()["integrity"]
        finally:
            connection.execute("DELETE FROM integrity_violations WHERE tenant_id = %s", (tenant,))
    assert [(it["check"], it["count"]) for it in own["violations"]] == [("A14", 1)]
    assert own["sentence"] == "1 open violation. row 0 is missing"
    assert (own["verdict"], own["green"]) == ("violated", False)
    assert everything["violations"][0]["count"] == 2
