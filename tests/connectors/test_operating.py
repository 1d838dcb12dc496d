"""Operator commands and their effect on a running role."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from runtime.postgres import connect
from tests.connectors.trello_world import TrelloWorld
from tests.harness.roles import wait_until
from tests.harness.wire import TENANT, event, outcomes
from tests.providers.trello_simulator import TOKEN

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def started(world: TrelloWorld) -> Iterator[TrelloWorld]:
    """Confirmed plan and running role."""
    world.cli("sync", world.integration)
    with world.connectors():
        wait_until(lambda: _listed(world)["healthy"] is True, 60)
        yield world


def _listed(world: TrelloWorld) -> dict[str, object]:
    [found] = world.cli("list")
    return dict(found)


@pytest.mark.long
def test_expired_credentials_are_replaced_and_what_was_missed_arrives(
    started: TrelloWorld, tmp_path: Path
) -> None:
    world = started
    identity = world.mirrored_call("before")
    expired, fresh = tmp_path / "expired", tmp_path / "fresh"
    expired.write_text("ATTA-expired-token")
    fresh.write_text(TOKEN)

    world.run("set", world.integration, "--secret", f"token=@{expired}")
    world.send("interaction.update", {"id": identity, "title": "meanwhile"})
    wait_until(lambda: _listed(world)["state"] == "needs_auth", 60)
    shown = _listed(world)
    assert shown["healthy"] is False
    assert "401" in str(shown["why"])
    assert [each["kind"] for each in world.cli("warnings")] == ["auth"]

    world.run("pause", world.integration)
    world.run("set", world.integration, "--secret", f"token=@{fresh}")
    world.run("resume", world.integration)
    world.wait_card(identity, name="meanwhile")
    world.at_rest()
    wait_until(lambda: _listed(world)["healthy"] is True, 60)
    assert world.cli("warnings") == []


def test_a_paused_integration_does_nothing_until_it_is_resumed(started: TrelloWorld) -> None:
    world = started
    identity = world.mirrored_call("before")
    world.run("pause", world.integration)
    _wait_until_idle(world)
    writes = world.simulator.writes
    world.send("interaction.update", {"id": identity, "title": "while paused"})
    wait_until(lambda: world.cli("status", world.integration)[0]["due"] == 1, 30)
    [status] = world.cli("status", world.integration)
    assert (status["state"], status["mirrored"] >= 1) == ("paused", True)
    assert world.simulator.writes == writes
    world.run("resume", world.integration)
    world.wait_card(identity, name="while paused")
    world.at_rest()


def test_a_switched_off_tenant_loses_nothing(started: TrelloWorld) -> None:
    world = started
    identity = world.mirrored_call("before")
    _switch(world, on=False)
    _wait_until_idle(world)
    said = world.run("sync", world.integration, fails=True)
    assert "interactions flags set customers.interactions.external-sync on" in said
    world.send("interaction.update", {"id": identity, "title": "while off"})
    wait_until(lambda: world.cli("status", world.integration)[0]["due"] >= 1, 30)
    assert (world.card_of(identity) or {})["name"] == "before"
    _switch(world, on=True)
    world.wait_card(identity, name="while off")
    world.at_rest()


def test_waiting_items_are_retried_at_once(started: TrelloWorld) -> None:
    world = started
    identity = world.mirrored_call("before")
    with world.simulator.outage():
        world.send("interaction.update", {"id": identity, "title": "after"})
        failed = "SELECT attempts > 0 FROM sync_ledger WHERE interaction_id = %s"
        wait_until(lambda: world.one(failed, identity) == (True,), 60)
    later = "UPDATE sync_ledger SET next_attempt_at = now() + interval '1 day' WHERE interaction_id = %s"
    world.one(f"{later} RETURNING 1", identity)
    assert "1 more items are due now" in world.run("retry", "--all", "--integration", world.integration)
    world.wait_card(identity, name="after", seconds=90)
    world.at_rest()


def test_a_change_on_which_the_pipeline_fails_becomes_a_warning(started: TrelloWorld) -> None:
    """It is sent once, and does not hold up the item: the next change of a person reaches the card."""
    world = started
    identity = world.mirrored_call("before")
    card = world.wait_card(identity)["id"]
    with connect(world.settings, application_name="test", autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.title = 'bad' THEN"
            " RAISE EXCEPTION 'refused' USING ERRCODE = '22003'; END IF; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON customer_interactions"
            " FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        try:
            world.simulator.board.update_card(card, {"name": "bad"})
            wait_until(lambda: bool(world.cli("warnings")), 60, lambda: world.state(identity))
        finally:
            connection.execute("DROP FUNCTION refuse CASCADE")
    [warning] = world.cli("warnings")
    assert (warning["kind"], warning["field"], warning["interactionId"]) == ("refused", "title", identity)
    assert "internal_error" in warning["detail"]
    assert world.one("SELECT count(*) FROM journal WHERE command_id LIKE 'dead:%%'") == (1,)
    world.send("interaction.update", {"id": identity, "scheduledAt": "2031-01-01T09:00:00Z"})
    world.wait_card(identity, due="2031-01-01T09:00:00.000Z", name="bad")
    world.at_rest()


def test_secrets_under_a_key_that_the_role_lacks_stop_neither_work_nor_pause(started: TrelloWorld) -> None:
    world = started
    identity = world.mirrored_call("before")
    keys = world.environment["INTERACTIONS_SECRETS_KEY"]
    world.environment["INTERACTIONS_SECRETS_KEY"] = (
        "k2:" + base64.b64encode(os.urandom(32)).decode() + "," + keys
    )
    assert world.cli("rotate-secrets") == [{"renewed": 1, "key": "k2"}]
    wait_until(lambda: "key" in str(_listed(world)["why"]), 30)
    world.send("interaction.update", {"id": identity, "title": "still at work"})
    world.wait_card(identity, name="still at work")
    world.run("pause", world.integration)
    _wait_until_idle(world)
    world.send("interaction.update", {"id": identity, "title": "under the new key"})
    wait_until(lambda: world.cli("status", world.integration)[0]["due"] == 1, 30)


def _wait_until_idle(world: TrelloWorld) -> None:
    """Wait until the role has stopped the integration and refuses webhooks."""
    address = f"{world.environment['INTERACTIONS_CONNECTORS_PUBLIC_URL']}/webhooks/{world.integration}"
    with httpx2.Client() as client:
        wait_until(lambda: client.post(address, content=b"{}").status_code == 503, 30)


def _switch(world: TrelloWorld, *, on: bool) -> None:
    data = {"flag": "customers.interactions.external-sync", "enabled": on}
    assert outcomes(world.settings, [event("feature_flag.set", TENANT, data)])[0]["outcome"] == "applied"
