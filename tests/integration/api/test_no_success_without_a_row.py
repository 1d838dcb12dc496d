"""No success without a row over HTTP, whichever dependency is down."""

from __future__ import annotations

import json

import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import COMMANDS
from tests.harness.gateway import SECRET, serving
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import event, new_id, outcomes, publish

pytestmark = pytest.mark.integration
PATH = "/api/customers/interactions"


def test_without_an_applier_the_outcome_is_unknown_and_then_known(world: Settings) -> None:
    entity = new_id()
    publish(world, [event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "Erika"})])
    body = {"entityId": entity, "interactionType": "call", "title": "patience"}
    key = {"Idempotency-Key": new_id()}
    with serving(world, INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="1") as gateway, gateway.client() as client:
        answer = client.post(PATH, json=body, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (504, "outcome_unknown")
        url = answer.headers["location"]
        assert url == answer.json()["commandUrl"]
        assert "x-om-operation" not in answer.headers
        assert client.get(url).status_code == 404
        with running(world, "applier"):
            wait_until(lambda: client.get(url).status_code == 200, 60)
            fate = client.get(url).json()
            assert fate["outcome"] == "applied"
            again = client.post(PATH, json=body, headers=key)
            assert (again.status_code, again.json()) == (201, {"id": fate["result"]["interactionId"]})
            assert _count(world, entity) == 1
    with (
        serving(world, INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", wait_ready=False) as cut,
        cut.client() as client,
    ):
        refused = client.post(PATH, json=body)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["database"], ready.json()["results"]) == (503, True, False)
        assert client.get(PATH, params={"entityId": entity}).status_code == 200, "reads go on"
        assert _count(world, entity) == 1


def test_no_customer_text_and_no_secret_in_the_log(world: Settings) -> None:
    entity = new_id()
    secrets = ("Krankmeldung", "Vertraulich", "Geheimname", SECRET)
    with running(world, "applier"), serving(world) as gateway, gateway.client() as client:
        outcomes(
            world,
            [event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "Geheimname"})],
        )
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        made = client.post(
            PATH,
            json={
                "entityId": entity,
                "interactionType": "call",
                "title": "Krankmeldung",
                "body": "Vertraulich",
            },
            headers={"traceparent": trace},
        )
        assert made.status_code == 201
        client.get(PATH, params={"search": "Krankmeldung"})
        client.post(PATH, json={"entityId": entity, "interactionType": "call", "Krankmeldung": "Vertraulich"})
        client.post(PATH, content=b'{"title": "Krankmeldung', headers={"content-type": "application/json"})
        client.get("/api/customers/Krankmeldung")
        client.get("/api/customers/commands/Krankmeldung")
        bearer = client.headers["authorization"].removeprefix("Bearer ")
        wait_until(lambda: gateway.role.log.count('"route": ') >= 6, 20)
        log = gateway.role.log
        lines = [json.loads(line) for line in log.splitlines()]
        answered = [line for line in lines if line["event"] == "gateway.answered"]
        (post,) = [line for line in answered if line["status"] == 201]
        assert post["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
        assert {"tenant_id", "organization_id", "request_id", "route", "ms"} <= set(post)
        assert post["request_id"] == made.headers["x-request-id"]
        assert len(answered) >= 6
        for secret in (*secrets, bearer, bearer.split(".")[2]):
            assert secret not in log
        assert _header(world, entity, "traceparent") == trace, "the trace goes on with the command"


def _count(settings: Settings, entity: str) -> int:
    with connect(settings, application_name="tests") as connection:
        row = connection.execute(
            "SELECT count(*) FROM customer_interactions WHERE entity_id = %s", (entity,)
        ).fetchone()
        assert row is not None
        return int(row[0])


def _header(settings: Settings, entity: str, name: str) -> str | None:
    records = [record for record in read_topic(settings, COMMANDS) if record.key == entity.encode()]
    return next((record.headers[name] for record in records if name in record.headers), None)
