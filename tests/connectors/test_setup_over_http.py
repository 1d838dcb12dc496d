"""An integration set up over HTTP alone: providers, add, test, plan, sync, pause, resume, retry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.connectors.trello_world import TrelloWorld
from tests.harness.gateway import serving
from tests.harness.roles import wait_until
from tests.harness.wire import new_id
from tests.providers.trello_simulator import KEY, SECRET, TOKEN

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
PATH = "/api/customers/integrations"
_SECRETS = {"api_key": KEY, "token": TOKEN, "api_secret": SECRET}


@pytest.fixture(scope="module")
def client(world: TrelloWorld) -> Iterator[httpx2.Client]:
    """A user who may manage integrations; connectors run, and no integration exists."""
    address = world.one("SELECT settings->>'api_url' FROM integrations WHERE id = %s", world.integration)
    assert address is not None
    world.run("remove", world.integration, "--yes")
    key = world.environment["INTERACTIONS_SECRETS_KEY"]
    with (
        world.connectors(),
        serving(
            world.settings, INTERACTIONS_SECRETS_KEY=key, INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="60"
        ) as gateway,
        gateway.client(features=["customers.view", "customers.integrations.manage"]) as found,
    ):
        found.headers["x-test-address"] = address[0]
        yield found


def _body(world: TrelloWorld, client: httpx2.Client, **secrets: str) -> dict[str, Any]:
    settings = {"board_id": world.simulator.board.id, "api_url": client.headers["x-test-address"]}
    return {"provider": "trello", "settings": settings, "secrets": {**_SECRETS, **secrets}}


def _add(world: TrelloWorld, client: httpx2.Client, **secrets: str) -> str:
    answer = client.post(PATH, json=_body(world, client, **secrets))
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "needs_confirmation"
    return str(answer.json()["id"])


def test_a_form_can_be_made_from_the_declarations(client: httpx2.Client) -> None:
    wait_until(lambda: bool(client.get(f"{PATH}/providers").json()["items"]), 30)
    answer = client.get(f"{PATH}/providers").json()
    found = {item["name"]: item for item in answer["items"]}
    assert {"trello", "caldav", "webhook"} <= found.keys()
    trello = {field["name"]: field for field in found["trello"]["settings"]}
    assert (trello["board_id"]["required"], trello["board_id"]["secret"]) == (True, False)
    assert (trello["token"]["required"], trello["token"]["secret"]) == (False, True)
    assert trello["token"]["help"]
    caldav = {field["name"]: field for field in found["caldav"]["settings"]}
    assert (caldav["include_others"]["type"], caldav["include_others"]["default"]) == ("boolean", False)
    policy = {field["name"]: field for field in answer["policy"]}
    assert policy["on_remote_delete"]["choices"] == ["cancel", "keep"]
    assert policy["only_types"]["type"] == "list"


def test_from_nothing_to_a_running_sync(world: TrelloWorld, client: httpx2.Client) -> None:
    identity = world.plan_call(title="first")
    misplaced = client.post(PATH, json=_body(world, client) | {"settings": {"bord_id": "x"}})
    assert misplaced.status_code == 400, misplaced.text
    assert client.get(PATH).json() == {"items": []}, "a refused addition leaves nothing"

    integration = _add(world, client)
    own = f"{PATH}/{integration}"
    second = client.post(PATH, json=_body(world, client))
    assert (second.status_code, second.json()["code"]) == (409, "remote_taken")
    assert client.get(f"{own}/plan").json()["code"] == "no_plan"
    assert client.post(f"{own}/resume").json()["code"] == "needs_confirmation"
    assert client.post(f"{own}/pause").json()["code"] == "needs_confirmation"

    tested = client.post(f"{own}/test-connection")
    assert (tested.status_code, tested.json()["ok"]) == (200, True)
    plan = client.post(f"{own}/plan").json()
    assert (plan["state"], plan["interactions"], plan["deleted"]) == ("made", {"create": 1}, 0)
    assert client.get(f"{own}/plan").json() == plan
    assert not world.cards(), "a plan writes nothing"

    started = client.post(f"{own}/sync", json={})
    assert started.status_code == 200
    # The item is marked already if the role has read the call's event only after the addition.
    assert started.json() in [{"ok": True, "state": "active", "rows": rows} for rows in (0, 1)]
    world.wait_card(identity, name="first")
    wait_until(lambda: client.get(own).json()["ledger"]["synced"] == 1, 60)
    shown = client.get(own).json()
    assert (shown["state"], shown["mirrored"], shown["warnings"]) == ("active", 1, 0)
    assert shown["lastSuccessAt"] is not None
    assert shown["settings"]["board_id"] == world.simulator.board.id
    assert TOKEN not in client.get(own).text

    def rows() -> list[tuple[str, str, str]]:
        items = client.get(f"{own}/ledger").json()["items"]
        return [(it["interactionId"], it["title"], it["state"]) for it in items]

    # It waits once more while the board reports the change that was just made.
    wait_until(lambda: rows() == [(identity, "first", "synced")], 60, lambda: str(rows()))

    assert client.post(f"{own}/pause").json() == {"ok": True, "state": "paused"}
    webhooks = f"{world.environment['INTERACTIONS_CONNECTORS_PUBLIC_URL']}/webhooks/{integration}"
    wait_until(lambda: httpx2.post(webhooks, content=b"{}").status_code == 503, 30)
    world.send("interaction.update", {"id": identity, "title": "second"})
    wait_until(lambda: client.get(own).json()["ledger"]["waiting"] == 1, 30)
    assert world.wait_card(identity)["name"] == "first"
    assert client.post(f"{own}/resume").json() == {"ok": True, "state": "active"}
    world.wait_card(identity, name="second")

    with world.simulator.outage():
        world.send("interaction.update", {"id": identity, "title": "third"})
        wait_until(lambda: client.get(own).json()["ledger"]["failing"] == 1, 60)
        [failing] = client.get(f"{own}/ledger", params={"state": "failing"}).json()["items"]
        assert failing["reason"]
        assert failing["nextAttemptAt"] is not None
        unreachable = client.post(f"{own}/test-connection")
        assert (unreachable.status_code, unreachable.json()["code"]) == (409, "provider_failed")
        failed = client.post(f"{own}/plan")
        assert failed.status_code == 409
        assert client.get(f"{own}/plan").json()["state"] == "failed"
    retried = client.post(f"{own}/ledger/retry", json={"interactions": [identity, new_id()]})
    assert retried.json() == {"ok": True, "rows": 1}
    world.wait_card(identity, name="third")
    assert client.delete(own).status_code == 200


def test_refused_credentials_are_reported_before_anything_is_synced(
    world: TrelloWorld, client: httpx2.Client
) -> None:
    own = f"{PATH}/{_add(world, client, token='ATTA-expired-token')}"
    answer = client.post(f"{own}/test-connection")
    assert (answer.status_code, answer.json()["code"]) == (409, "needs_auth")
    assert client.get(own).json()["healthy"] is False
    assert "ATTA-expired-token" not in answer.text
    assert client.patch(own, json={"secrets": {"token": TOKEN}}).status_code == 200
    assert client.post(f"{own}/test-connection").status_code == 200
    assert client.get(own).json()["healthy"] is True
    assert client.delete(own).status_code == 200
