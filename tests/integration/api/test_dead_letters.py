"""Dead letters over HTTP: groups, samples and decisions, of the caller's organization alone."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from runtime.settings import Settings
from tests.harness.gateway import Gateway, serving
from tests.harness.roles import wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import Raw, new_id, publish, wait_for_results

pytestmark = pytest.mark.integration
PATH = "/api/customers/dead-letters"
FEATURES = ["customers.dead_letters.view", "customers.dead_letters.manage"]
TEXT = "a customer's secret title"


def _publish(settings: Settings, tenant: str, organization: str, *, value: bytes | None = None) -> str:
    """Publish an undecodable command; return its event id."""
    identity, entity = new_id(), new_id()
    attributes = {
        "id": identity,
        "specversion": "1.0",
        "source": "/tests",
        "type": "customers.interaction.create",
        "tenantid": tenant,
        "organizationid": organization,
        "entityid": entity,
    }
    headers = tuple((f"ce_{name}", text.encode()) for name, text in attributes.items() if text)
    content = value if value is not None else f'{{"title": "{TEXT}"'.encode()
    places = publish(settings, [Raw(entity.encode(), content, headers)])
    wait_for_results(settings, places)
    return identity


def _letters(client: httpx2.Client, count: int, **params: Any) -> list[dict[str, Any]]:
    """The dead letters of all groups, once there are as many."""

    def found() -> list[dict[str, Any]]:
        groups = client.get(PATH, params=params)
        assert groups.status_code == 200, groups.text
        items = []
        for group in groups.json()["items"]:
            answer = client.get(f"{PATH}/{group['group']}", params={"limit": 100, **params})
            items += answer.json().get("items", [])
        return items

    wait_until(lambda: len(found()) == count, 30, lambda: str(found())[:500])
    return found()


def test_groups_samples_and_decisions(pipeline: Settings, gateway: Gateway) -> None:
    tenant, organization = new_id(), new_id()
    sent = [_publish(pipeline, tenant, organization) for _ in range(3)]
    other = _publish(pipeline, tenant, organization, value=b"\x00\x7f\xff\xff\x00rest")
    _publish(pipeline, tenant, new_id())
    with gateway.client(tenant=tenant, organization=organization, features=FEATURES) as client:
        letters = _letters(client, 4)
        assert {letter["commandId"] for letter in letters} == {*sent, other}
        groups = client.get(PATH).json()["items"]
        assert [group["count"] for group in groups] == [3, 1]
        assert groups[0]["firstSeenAt"] <= groups[0]["lastSeenAt"]
        assert (groups[1]["errorClass"], groups[0]["errorClass"]) == ("unknown_schema_id", "undecodable")
        everything = client.get(PATH).text + client.get(f"{PATH}/{groups[0]['group']}").text
        assert TEXT not in everything

        same = [letter["id"] for letter in letters if letter["commandId"] in sent]
        one = client.post(f"{PATH}/archive", json={"ids": [same[0], "0:999999"]}).json()
        assert one["done"] == [same[0]]
        assert [failure["code"] for failure in one["failed"]] == ["not_found"]
        many = client.post(f"{PATH}/discard", json={"all": True, "group": groups[0]["group"]}).json()
        assert (sorted(many["done"]), many["failed"], many["remaining"]) == (sorted(same[1:]), [], 0)
        assert [letter["commandId"] for letter in _letters(client, 1)] == [other]
        [archived] = _letters(client, 1, state="archived")
        assert (archived["id"], archived["state"], archived["decidedAt"] is not None) == (
            same[0],
            "archived",
            True,
        )
        reopened = client.post(f"{PATH}/reopen", json={"all": True, "state": "discarded"}).json()
        assert sorted(reopened["done"]) == sorted(same[1:])
        _letters(client, 3)

        neither = client.post(f"{PATH}/discard", json={})
        assert neither.status_code == 400
    with (
        serving(pipeline) as second,
        second.client(tenant=tenant, organization=organization, features=FEATURES) as client,
    ):
        # Decisions are stored in the topic, so another gateway has them too.
        assert {letter["id"] for letter in _letters(client, 3)} == {
            *same[1:],
            *(letter["id"] for letter in letters if letter["commandId"] == other),
        }


def test_a_replay_is_sent_unchanged_and_its_failure_returns(pipeline: Settings, gateway: Gateway) -> None:
    tenant, organization = new_id(), new_id()
    identity = _publish(pipeline, tenant, organization)
    with gateway.client(tenant=tenant, organization=organization, features=FEATURES) as client:
        for replays in range(3):
            [letter] = _letters(client, 1)
            assert (letter["commandId"], letter["replays"]) == (identity, replays)
            done = client.post(f"{PATH}/replay", json={"ids": [letter["id"]]}).json()
            assert (done["done"], done["failed"]) == ([letter["id"]], [])
            _letters(client, replays + 1, state="replayed")
        [letter] = _letters(client, 1)
        refused = client.post(f"{PATH}/replay", json={"ids": [letter["id"]]}).json()
        assert [failure["code"] for failure in refused["failed"]] == ["replay_limit"]
        assert letter["original"]["offset"] != letter["failedAt"]["offset"]
    records = [
        record
        for record in read_topic(pipeline, "customers.interactions.commands")
        if record.headers.get("ce_id") == identity
    ]
    assert len(records) == 4
    assert len({(record.key, record.value) for record in records}) == 1


def test_records_without_scope_are_for_operators_alone(pipeline: Settings, gateway: Gateway) -> None:
    _publish(pipeline, "", "")
    tenant = new_id()
    with (
        gateway.client(tenant=tenant, organization=new_id(), features=["customers.*"]) as user,
        gateway.client(
            tenant=tenant, organization=new_id(), features=[*FEATURES, "deployment.operate"]
        ) as operator,
    ):
        wait_until(lambda: bool(operator.get(PATH).json()["items"]), 30)
        [group, *_] = operator.get(PATH).json()["items"]
        assert user.get(PATH).json()["items"] == []
        assert user.get(f"{PATH}/{group['group']}").status_code == 404
        [letter, *_] = operator.get(f"{PATH}/{group['group']}").json()["items"]
        foreign = user.post(f"{PATH}/discard", json={"ids": [letter["id"]]}).json()
        assert (foreign["done"], foreign["failed"][0]["code"]) == ([], "not_found")


def test_a_decision_needs_its_feature(gateway: Gateway) -> None:
    with gateway.client(features=["customers.dead_letters.view"]) as viewer:
        assert viewer.post(f"{PATH}/discard", json={"all": True}).status_code == 403
    with gateway.client(features=["customers.view"]) as other:
        assert other.get(PATH).status_code == 403
