"""The connectors role on real servers, against a Trello simulator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from api.queries.integrations import integrations_of
from runtime.postgres import connect
from runtime.registry_fetch import make_fetch
from schemas.avro_codec import AvroDecoder
from schemas.topics import INTEGRATION_DECISIONS, INTEGRATION_EVENTS, TOPICS
from tests.connectors.trello_world import TrelloWorld
from tests.harness.gateway import ALL_FEATURES, USER, serving
from tests.harness.roles import wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import ORGANIZATION, TENANT, new_id
from tests.providers.trello_simulator import KEY, SECRET, TOKEN

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def started(world: TrelloWorld) -> Iterator[TrelloWorld]:
    """Interaction older than the integration, confirmed plan, running role."""
    early = world.plan_call(title="before")
    [plan] = world.cli("plan", world.integration)
    assert plan["interactions"] == {"create": 1}
    assert not world.cards(), "a plan writes nothing"
    [synced] = world.cli("sync", world.integration)
    assert synced["marked"] == 1
    with world.connectors():
        world.wait_card(early, name="before")
        wait_until(lambda: bool(world.simulator.webhooks.known), 60)
        world.at_rest()
        yield world


def test_changes_go_round_once(started: TrelloWorld) -> None:
    world = started
    identity = world.plan_call(title="Ring back")
    card = world.wait_card(identity, name="Ring back")
    world.at_rest()
    writes = world.simulator.writes

    world.simulator.board.update_card(card["id"], {"name": "Ring back today", "dueComplete": True})
    world.wait_row(identity, title="Ring back today", status="done")
    world.at_rest()
    assert world.simulator.writes == writes, "a provider's change is not written back to it"
    origin = world.one(
        "SELECT DISTINCT sync_origin FROM journal WHERE interaction_id = %s AND sync_origin IS NOT NULL",
        identity,
    )
    assert origin == (world.integration,)

    assert world.send("interaction.reopen", {"id": identity})["outcome"] == "applied"
    world.wait_card(identity, dueComplete=False)
    world.at_rest()
    assert world.simulator.writes == writes + 1


def test_undo_of_a_deletion_brings_the_same_card_back(started: TrelloWorld) -> None:
    world = started
    identity = world.plan_call(title="Keep me")
    card = world.wait_card(identity)
    deleted = world.send("interaction.delete", {"id": identity})
    world.wait_card(identity, closed=True)
    world.at_rest()
    assert world.send("interaction.undo", {"undoToken": deleted["undoToken"]})["outcome"] == "applied"
    assert world.wait_card(identity, closed=False)["id"] == card["id"]
    world.wait_row(identity, title="Keep me")


def test_a_new_card_becomes_an_interaction(started: TrelloWorld) -> None:
    world = started
    board = world.simulator.board
    card = board.create_card({"name": "From the board", "idList": board.lists[0]["id"]})
    statement = "SELECT id::text FROM customer_interactions WHERE title = 'From the board'"
    wait_until(lambda: world.one(statement) is not None, 30)
    world.at_rest()
    mapped = world.one(
        "SELECT local_id::text FROM sync_external_id_mappings WHERE external_id = %s", card["id"]
    )
    assert mapped == world.one(statement)
    assert len([one for one in world.cards() if one["name"] == "From the board"]) == 1


def test_an_outage_ends_in_one_call(started: TrelloWorld) -> None:
    world = started
    identity = world.mirrored_call("0")
    with world.simulator.outage():
        for number in range(1, 6):
            world.send("interaction.update", {"id": identity, "title": str(number)})
        wait_until(lambda: (world.one("SELECT max(attempts) FROM sync_ledger") or (0,))[0] > 0, 30)
        writes = world.simulator.writes
    world.wait_card(identity, name="5", seconds=60)
    world.at_rest()
    assert world.simulator.writes == writes + 1


def test_a_person_decides_conflicts_over_http(started: TrelloWorld) -> None:
    """Both sides change a title during an outage; then a person chooses one."""
    world = started
    path = "/api/customers/integrations/warnings"
    decide = f"/api/customers/integrations/{world.integration}/warnings/decide"
    first, second = world.plan_call(title="0"), world.plan_call(title="0")
    cards = {identity: world.wait_card(identity)["id"] for identity in (first, second)}
    world.at_rest()
    with world.simulator.outage():
        for identity, card in cards.items():
            world.send("interaction.update", {"id": identity, "title": "ours"})
            world.simulator.board.update_card(card, {"name": "theirs"})
    with serving(world.settings) as gateway, gateway.client(features=ALL_FEATURES) as client:

        def open_conflicts() -> dict[str, dict[str, Any]]:
            items = client.get(path, params={"kind": "conflict"}).json()["items"]
            return {item["interactionId"]: item for item in items if item["interactionId"] in cards}

        wait_until(lambda: open_conflicts().keys() == cards.keys(), 60, lambda: world.state(first))
        seen = {identity: _seen(item) for identity, item in open_conflicts().items()}

        stale = {**seen[first], "updatedAt": "2026-01-01T00:00:00Z"}
        left = client.post(decide, json={"resolution": "take_local", "warnings": [stale]})
        assert left.json() == {"ok": True, "taken": [], "left": [stale["id"]]}

        for identity, resolution in ((first, "take_local"), (second, "take_remote")):
            body = {"resolution": resolution, "warnings": [seen[identity]]}
            answer = client.post(decide, json=body)
            assert (answer.status_code, answer.json()) == (
                200,
                {"ok": True, "taken": [seen[identity]["id"]], "left": []},
            )
        world.wait_card(first, name="ours")
        world.wait_row(second, title="theirs")
        world.at_rest()
        assert not open_conflicts()
        again = client.post(decide, json={"resolution": "take_local", "warnings": [seen[first]]})
        assert again.json() == {"ok": True, "taken": [seen[first]["id"]], "left": []}, (
            "a repeated decision is not a new one"
        )
    by = world.one("SELECT DISTINCT resolved_by FROM integration_warnings WHERE resolution = 'take_local'")
    assert by == (USER,)


def _seen(item: dict[str, Any]) -> dict[str, Any]:
    return {"id": item["id"], "updatedAt": item["updatedAt"]}


def test_a_missing_board_cancels_nothing(started: TrelloWorld) -> None:
    """Every card answers 404 while five interactions are edited: a person is asked, and nothing is lost."""
    world = started
    calls = [world.plan_call(title="before") for _ in range(5)]
    for identity in calls:
        world.wait_card(identity)
    world.at_rest()
    state = "SELECT state FROM integrations WHERE id = %s"
    world.simulator.vanished = True
    for identity in calls:
        world.send("interaction.update", {"id": identity, "title": "edited meanwhile"})
    wait_until(lambda: world.one(state, world.integration) == ("needs_auth",), 60)
    assert {(world.row(identity) or ())[1] for identity in calls} == {"planned"}
    world.simulator.vanished = False
    world.run("resume", world.integration)
    for identity in calls:
        world.wait_card(identity, name="edited meanwhile")
    world.at_rest()
    assert {(world.row(identity) or ())[1] for identity in calls} == {"planned"}
    detached = (
        "SELECT count(*) FROM integration_warnings WHERE kind IN ('detached', 'failed') AND state = 'open'"
    )
    assert world.one(detached) == (0,)


@pytest.mark.long
def test_a_mass_deletion_waits_for_a_person_and_can_be_taken_back(started: TrelloWorld) -> None:
    world = started
    board, integration = world.simulator.board, world.integration
    calls = [new_id() for _ in range(30)]
    world.send_all([("interaction.create", _call(identity)) for identity in calls])
    cards = {identity: world.wait_card(identity)["id"] for identity in calls}
    world.at_rest()
    deleted = calls[:25]

    def canceled() -> int:
        return [(world.row(identity) or ())[1] for identity in deleted].count("canceled")

    for identity in deleted:
        board.delete_card(cards[identity])
    state = "SELECT state FROM integrations WHERE id = %s"
    wait_until(lambda: world.one(state, integration) == ("needs_confirmation",), 60)
    assert "--accept-mass-change" in world.run("resume", integration, fails=True)
    assert "--accept-mass-change" in world.run("sync", integration, fails=True)
    assert world.one(state, integration) == ("needs_confirmation",)
    assert canceled() < 15, "the guard admits ten deletions, or a fifth of all mirrors"

    world.cli("sync", integration, "--accept-mass-change")
    for identity in deleted:
        world.wait_row(identity, 90, status="canceled")
    world.at_rest()

    options = ["--since", "2026-01-01T00:00:00Z", "--dry-run"]
    [counted] = world.cli("restore", integration, *options)
    assert counted == {"mirrors": 25, "reopened": 25, "dryRun": True}
    assert canceled() == 25
    world.cli("restore", integration)
    for identity in deleted:
        world.wait_row(identity, 90, status="planned")
        assert world.wait_card(identity, closed=False)["id"] != cards[identity]
    world.at_rest()


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])
def test_changes_of_an_outage_drain(started: TrelloWorld, rounds: int) -> None:
    """The mirror catches up after an outage with one call per interaction (spec, risk register)."""
    world = started
    kept = [new_id() for _ in range(45)]
    added = [new_id() for _ in range(5)]
    world.send_all([("interaction.create", _call(identity)) for identity in kept])
    for identity in kept:
        world.wait_card(identity)
    world.at_rest()
    removed = kept[:5]
    cards, writes = len(world.cards()), len(world.card_writes())

    with world.simulator.outage():
        changes = [("interaction.create", _call(identity)) for identity in added]
        for number in range(rounds):
            for place, identity in enumerate([*kept, *added]):
                data = {"id": identity, "title": f"{place}, {number}", "priority": (place + number) % 101}
                changes.append(("interaction.update", data))
        changes += [("interaction.complete", {"id": identity}) for identity in kept[5:15]]
        changes += [("interaction.delete", {"id": identity}) for identity in removed]
        assert len(changes) >= rounds * 50
        world.send_all(changes)
        told = (
            "SELECT count(*) FROM sync_ledger LEFT JOIN customer_interactions ON id = interaction_id"
            " WHERE next_attempt_at IS NOT NULL AND wanted_version = coalesce(version, %s)"
        )
        deleted = rounds + 2
        wait_until(
            lambda: world.one(told, deleted) == (50,),
            30,
            lambda: f"{world.one(told, deleted)} told of everything",
        )
        wait_until(lambda: (world.one("SELECT max(attempts) FROM sync_ledger") or (0,))[0] > 0, 30)
        assert len(world.card_writes()) == writes, "a request got through the outage"
    # Up to 300 requests, including reads of our own echoes, at the board's limit of ten per second.
    world.at_rest(120)

    for place, identity in enumerate([*kept, *added]):
        card = world.card_of(identity)  # fails for two cards
        assert card is not None, f"{place} was not created: {world.state(identity)}"
        assert card["closed"] == (identity in removed)
        if identity not in removed:
            done = identity in kept[5:15]
            assert (card["name"], card["dueComplete"]) == (f"{place}, {rounds - 1}", done)
            assert (world.row(identity) or ())[:2] == (
                f"{place}, {rounds - 1}",
                "done" if done else "planned",
            )
    assert len(world.cards()) == cards + len(added)
    calls = Counter(world.card_writes()[writes:])
    assert calls.pop(("POST", "/1/cards")) == len(added)
    assert sorted(calls.values()) == [1] * len(kept), f"more than one call for an interaction: {calls}"
    failed = "SELECT count(*) FROM sync_ledger WHERE parked OR last_error IS NOT NULL"
    assert world.one(failed) == (0,)


def _call(identity: str) -> dict[str, Any]:
    return {"id": identity, "interactionType": "call", "title": "before the outage"}


def test_mirrors_are_shown_while_the_flag_is_on(started: TrelloWorld) -> None:
    world = started
    identity = world.plan_call(title="Shown")
    card = world.wait_card(identity)
    with connect(world.settings, application_name="tests", autocommit=True) as connection:

        def shown() -> dict[str, Any]:
            mirrors = integrations_of(connection, TENANT, ORGANIZATION, [identity])
            return mirrors.get(identity, {}).get(world.integration, {})

        # The mirror is stored after its card, and the board reports our own write, which is then read again.
        wait_until(lambda: shown().get("syncStatus") == "synced", 60, lambda: str(shown()))
        assert shown()["externalId"] == card["id"]
        assert shown()["externalUrl"].startswith("https://trello.com/")
        assert shown()["lastSyncedAt"]
        assert not integrations_of(connection, ORGANIZATION, TENANT, [identity]), "another tenant's"
        with connection.transaction(force_rollback=True):
            connection.execute("UPDATE feature_flags SET enabled = FALSE")
            assert not integrations_of(connection, TENANT, ORGANIZATION, [identity])
        connection.rollback()


def test_a_forged_webhook_is_refused(started: TrelloWorld) -> None:
    world = started
    address = f"{world.environment['INTERACTIONS_CONNECTORS_PUBLIC_URL']}/webhooks/{world.integration}"
    with httpx2.Client() as client:
        wait_until(lambda: client.head(address).status_code == 200, 20)
        assert client.post(address, content=b"{}", headers={"x-trello-webhook": "AAAA"}).status_code == 401
        assert client.post(address, content=b"x" * (1024 * 1024 + 1)).status_code == 413
        assert client.post(address + "-other", content=b"{}").status_code == 404


def test_secrets_are_nowhere_to_be_seen(started: TrelloWorld) -> None:
    world = started
    logs = [*world.logs, world.role.log] if world.role is not None else world.logs
    assert logs
    secrets = [KEY, TOKEN, SECRET, world.environment["INTERACTIONS_SECRETS_KEY"][3:]]
    places = {f"log {number}": text for number, text in enumerate(logs)}
    for topic in TOPICS:
        for record in read_topic(world.settings, topic.name):
            places[f"{topic.name} {record.partition}/{record.offset}"] = f"{record.value!r} {record.headers}"
    for table in (
        "integrations",
        "sync_external_id_mappings",
        "sync_ledger",
        "sync_echo_log",
        "integration_warnings",
        "webhook_receipts",
        "job_checkpoints",
        "journal",
    ):
        rows = world.one(f"SELECT string_agg(row::text, ' ') FROM {table} row")
        places[table] = str(rows)
    leaks = [place for place, text in places.items() for secret in secrets if secret in text]
    assert not leaks, leaks
    titles = [place for place, text in places.items() if place.startswith("log") and "Ring back" in text]
    assert not titles, "customer text in a log"


def test_an_integration_is_changed_and_removed_over_http(started: TrelloWorld) -> None:
    world = started
    identity = world.plan_call(title="Stays")
    card = world.wait_card(identity, name="Stays")
    world.at_rest()
    path = f"/api/customers/integrations/{world.integration}"
    fresh, misplaced = "a-fresh-secret-of-the-app", "a-token-in-the-wrong-place"
    key = world.environment["INTERACTIONS_SECRETS_KEY"]
    features = ["customers.integrations.manage"]
    with (
        serving(world.settings, INTERACTIONS_SECRETS_KEY=key) as gateway,
        gateway.client(features=features) as client,
    ):
        for body, pointer in (
            ({"settings": {"token": misplaced}}, "/settings/token"),
            ({"settings": {"bord_id": "x"}}, "/settings/bord_id"),
            ({"secrets": {"board_id": misplaced}}, "/secrets/board_id"),
            ({"policy": {"most_deletions": -1}}, "/policy/most_deletions"),
        ):
            refused = client.patch(path, json=body)
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, pointer)
        before = world.one("SELECT settings, secrets FROM integrations WHERE id = %s", world.integration)
        change = {"policy": {"most_deletions": 7}, "secrets": {"api_secret": fresh}}
        changed = client.patch(path, json=change)
        assert (changed.status_code, changed.json()) == (200, {"ok": True, "state": "active"})
        after = world.one("SELECT settings, secrets FROM integrations WHERE id = %s", world.integration)
        assert before is not None
        assert after is not None
        assert after[0] == before[0]
        assert after[1] != before[1]
        assert world.one("SELECT policy->>'most_deletions' FROM integrations") == ("7",)

        removed = client.delete(path)
        assert removed.status_code == 200
        assert removed.json()["mirrorsLeft"] >= 1
        assert client.delete(path).status_code == 404
    wait_until(lambda: not world.simulator.webhooks.known, 30)
    address = f"{world.environment['INTERACTIONS_CONNECTORS_PUBLIC_URL']}/webhooks/{world.integration}"
    with httpx2.Client() as http:
        wait_until(lambda: http.head(address).status_code == 404, 30)
    writes = world.simulator.writes
    world.send("interaction.update", {"id": identity, "title": "Local only"})
    assert world.one("SELECT count(*) FROM sync_ledger") == (0,)
    assert (world.simulator.writes, world.wait_card(identity)["name"]) == (writes, card["name"])
    values = {
        topic: [record.value or b"" for record in read_topic(world.settings, topic)]
        for topic in (INTEGRATION_DECISIONS, INTEGRATION_EVENTS)
    }
    decode = AvroDecoder(make_fetch(world.settings)).decode
    events = [decode(value)[1] for value in values[INTEGRATION_EVENTS]]
    assert [bool(event["invalidates"]) for event in events if event.get("state") == "removed"] == [True]
    everything = b"".join(value for found in values.values() for value in found)
    assert fresh.encode() not in everything
    assert misplaced.encode() not in everything
