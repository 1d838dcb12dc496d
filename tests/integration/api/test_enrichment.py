"""Mirrors of interactions: present if there are any, absent while sync is off (test list 13, 16)."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from connectors.store.warnings import close_warnings_of_kind, raise_warning
from runtime.postgres import connect
from runtime.settings import Settings
from tests.harness.gateway import ALL_FEATURES, Gateway
from tests.harness.integrations import a_warning
from tests.harness.response_models import check_responses
from tests.harness.wire import event, new_id, outcomes

pytestmark = pytest.mark.integration
LIST, PEOPLE = "/api/customers/interactions", "/api/customers/people"


def _set(pipeline: Settings, scope: dict[str, Any], enabled: bool) -> None:
    flag = {"flag": "customers.interactions.external-sync", "enabled": enabled}
    (result,) = outcomes(pipeline, [event("feature_flag.set", scope["tenant"], flag, **scope)])
    assert result["outcome"] == "applied"


def _mirror(pipeline: Settings, scope: dict[str, Any], identity: str) -> str:
    integration = f"board-{new_id()[:8]}"
    with connect(pipeline, application_name="tests") as connection:
        connection.execute(
            "INSERT INTO integrations (id, tenant_id, organization_id, provider, settings, policy, secrets,"
            " secrets_key_id, state) VALUES (%s, %s, %s, 'trello', %s, %s, '', 'k1', 'active')",
            (integration, scope["tenant"], scope["organization"], Jsonb({}), Jsonb({})),
        )
        connection.execute(
            "INSERT INTO sync_external_id_mappings (integration_id, local_id, tenant_id, organization_id,"
            " external_id, external_url, base) VALUES (%s, %s, %s, %s, 'card', %s, %s)",
            (
                integration,
                identity,
                scope["tenant"],
                scope["organization"],
                "https://trello.com/c/card",
                Jsonb({}),
            ),
        )
    return integration


def test_mirrors_are_shown_where_sync_is_on(pipeline: Settings, gateway: Gateway) -> None:
    scope: dict[str, Any] = {"tenant": new_id(), "organization": new_id()}
    person, mirrored, plain = new_id(), new_id(), new_id()
    plan = {"interactionType": "call", "scheduledAt": "2027-01-01T09:00:00Z"}
    made = [
        event("entity.upsert", person, {"id": person, "kind": "person", "displayName": "Ada"}, **scope),
        *(
            event("interaction.create", person, {"id": identity, **plan}, **scope)
            for identity in (mirrored, plain)
        ),
    ]
    assert {result["outcome"] for result in outcomes(pipeline, made)} == {"applied"}
    integration = _mirror(pipeline, scope, mirrored)
    with gateway.client(**scope, features=ALL_FEATURES) as client:

        def seen() -> list[dict[str, dict[str, Any] | None]]:
            listed = client.get(LIST, params={"entityId": person})
            detail = client.get(f"{PEOPLE}/{person}", params={"include": "interactions"})
            single = [client.get(f"{LIST}/{identity}") for identity in (mirrored, plain)]
            assert int(listed.headers["x-statements"]) <= 3
            assert int(detail.headers["x-statements"]) <= 5
            views = (
                listed.json()["items"],
                detail.json()["interactions"],
                [answer.json() for answer in single],
            )
            return [{item["id"]: item.get("_integrations") for item in view} for view in views]

        assert seen() == [{mirrored: None, plain: None}] * 3, "sync is off until a tenant switches it on"
        _set(pipeline, scope, enabled=True)
        shown = {
            integration: {
                "externalId": "card",
                "externalUrl": "https://trello.com/c/card",
                "syncStatus": "synced",
                "lastSyncedAt": None,
            }
        }
        assert seen() == [{mirrored: shown, plain: None}] * 3
        _set(pipeline, scope, enabled=False)
        assert seen() == [{mirrored: None, plain: None}] * 3


def test_every_view_shows_mirrors_within_its_statements(pipeline: Settings, gateway: Gateway) -> None:
    scope: dict[str, Any] = {"tenant": new_id(), "organization": new_id()}
    company = new_id()
    tasks, calls = ([new_id() for _ in range(50)] for _ in range(2))
    made = [event("entity.upsert", company, {"id": company, "kind": "company", "displayName": "A"}, **scope)]
    for kind, ids in (("task", tasks), ("note", calls)):
        made += [
            event("interaction.create", company, {"id": identity, "interactionType": kind}, **scope)
            for identity in ids
        ]
    assert {result["outcome"] for result in outcomes(pipeline, made)} == {"applied"}
    integration = _mirror(pipeline, scope, tasks[0])
    with connect(pipeline, application_name="tests", autocommit=True) as connection:
        connection.cursor().executemany(
            "INSERT INTO sync_external_id_mappings (integration_id, local_id, tenant_id, organization_id,"
            " external_id, base) VALUES (%s, %s, %s, %s, %s, '{}')",
            [
                (integration, identity, scope["tenant"], scope["organization"], identity)
                for identity in (*tasks[1:], *calls)
            ],
        )
    _set(pipeline, scope, enabled=True)
    details = {"include": "interactions,activities,todos"}
    views: list[tuple[str, dict[str, Any], str, set[str], int]] = [
        # Path, parameters, member with the items, ids, most statements.
        (LIST, {"limit": 100}, "items", {*tasks, *calls}, 3),
        ("/api/customers/todos", {"all": "true"}, "items", set(tasks), 4),
        ("/api/customers/activities", {"pageSize": 100}, "items", set(calls), 4),
        ("/api/customers/dashboard/widgets/customer-todos", {"limit": 20}, "items", set(tasks), 3),
        (f"/api/customers/companies/{company}", details, "interactions", {*tasks, *calls}, 5),
        (f"/api/customers/companies/{company}", details, "activities", set(calls), 5),
        (f"/api/customers/companies/{company}", details, "todos", set(tasks), 5),
    ]
    with gateway.client(**scope, features=ALL_FEATURES) as client:
        check_responses(client)

        def shown(*, mirrored: bool) -> None:
            for path, query, member, ids, most in views:
                answer = client.get(path, params=query).raise_for_status()
                items = answer.json()[member]
                assert {item["id"] for item in items} <= ids
                assert len(items) == min(len(ids), query.get("limit", 100))
                assert {"_integrations" in item for item in items} == {mirrored}, path
                assert int(answer.headers["x-statements"]) <= most, path

        shown(mirrored=True)
        with connect(pipeline, application_name="tests", autocommit=True) as connection:
            connection.execute("UPDATE integrations SET state = 'disabled' WHERE id = %s", (integration,))
        shown(mirrored=False)
        with connect(pipeline, application_name="tests", autocommit=True) as connection:
            connection.execute("UPDATE integrations SET state = 'paused' WHERE id = %s", (integration,))
        shown(mirrored=True)


def test_warnings_are_listed_where_sync_is_on(pipeline: Settings, gateway: Gateway) -> None:
    scope: dict[str, Any] = {"tenant": new_id(), "organization": new_id()}
    identity, path = new_id(), "/api/customers/integrations/warnings"
    integration = _mirror(pipeline, scope, identity)
    with connect(pipeline, application_name="tests", autocommit=True) as connection:
        for kind, named in (("conflict", "title"), ("failed", None), ("conflict", "priority")):
            warning = a_warning(
                integration, scope["tenant"], scope["organization"], identity, kind=kind, field=named
            )
            raise_warning(connection, warning)
        settled = close_warnings_of_kind(connection, integration, ["failed"], identity)
    assert settled == 1
    with (
        gateway.client(**scope, features=["customers.view"]) as client,
        gateway.client(tenant=scope["tenant"], organization=new_id()) as stranger,
    ):
        assert client.get(path).json() == {"items": []}, "sync is off until a tenant switches it on"
        _set(pipeline, scope, enabled=True)
        items = client.get(path).json()["items"]
        assert [(item["kind"], item["field"]) for item in items] == [
            ("conflict", "priority"),
            ("conflict", "title"),
        ]
        assert (items[1]["localValue"], items[1]["remoteValue"]) == ("here", "there")
        assert (items[1]["integrationId"], items[1]["interactionId"]) == (integration, identity)
        assert len(client.get(path, params={"limit": 1}).json()["items"]) == 1
        assert len(client.get(path, params={"integration": integration}).json()["items"]) == 2
        assert client.get(path, params={"integration": "other"}).json() == {"items": []}
        assert client.get(path, params={"kind": "failed"}).json() == {"items": []}
        assert stranger.get(path).json() == {"items": []}, "another organization's"
        assert client.get(path, params={"kind": "nonsense"}).status_code == 400


def test_only_own_warnings_can_be_decided(pipeline: Settings, gateway: Gateway) -> None:
    scope: dict[str, Any] = {"tenant": new_id(), "organization": new_id()}
    integration = _mirror(pipeline, scope, new_id())
    with connect(pipeline, application_name="tests", autocommit=True) as connection:
        warning = a_warning(integration, scope["tenant"], scope["organization"], new_id())
        identity, _ = raise_warning(connection, warning)
    path = f"/api/customers/integrations/{integration}/warnings/decide"

    def body(resolution: str, *ids: str) -> dict[str, Any]:
        named = [{"id": one, "updatedAt": "2026-03-01T09:00:00Z"} for one in ids]
        return {"resolution": resolution, "warnings": named}

    with (
        gateway.client(**scope) as client,
        gateway.client(**scope, features=["customers.view"]) as onlooker,
        gateway.client(tenant=scope["tenant"], organization=new_id()) as stranger,
    ):
        assert client.post(path, json=body("retry", identity)).status_code == 404, "sync is off"
        _set(pipeline, scope, enabled=True)
        assert stranger.post(path, json=body("retry", identity)).status_code == 404
        assert client.post(path, json=body("take_local", new_id())).status_code == 404
        assert (
            client.post(path.replace(integration, "other"), json=body("retry", identity)).status_code == 404
        )
        assert onlooker.post(path, json=body("take_local", identity)).status_code == 403
        refused = client.post(path, json=body("retry", identity, new_id()))
        assert (refused.status_code, refused.json()["code"]) == (409, "not_a_choice")
        assert client.post(path, json=body("take_local")).status_code == 400
        assert client.post(path, json=body("guess", identity)).status_code == 400


def test_only_an_own_integration_can_be_changed_and_only_with_a_key(
    pipeline: Settings, gateway: Gateway
) -> None:
    scope: dict[str, Any] = {"tenant": new_id(), "organization": new_id()}
    path = f"/api/customers/integrations/{_mirror(pipeline, scope, new_id())}"
    features = ["customers.integrations.manage"]
    body = {"secrets": {"password": "new"}}
    with (
        gateway.client(**scope, features=features) as client,
        gateway.client(**scope) as editor,
        gateway.client(tenant=scope["tenant"], organization=new_id(), features=features) as stranger,
    ):
        assert editor.patch(path, json=body).status_code == 403
        assert editor.delete(path).status_code == 403
        assert stranger.patch(path, json=body).status_code == 404
        assert stranger.delete(path).status_code == 404
        assert client.patch(path, json={}).json()["code"] == "nothing_to_set"
        wrongs: list[dict[str, Any]] = [
            {"settings": {"a": "\x00"}},
            {"secrets": {"a": ""}},
            {"settings": {"a": {}}},
            {"x": 1},
        ]
        for wrong in wrongs:
            assert client.patch(path, json=wrong).status_code == 400, wrong
        keyless = client.patch(path, json=body)
        assert (keyless.status_code, keyless.json()["code"]) == (503, "no_secrets_key")
        assert "INTERACTIONS_SECRETS_KEY" in keyless.json()["detail"]
