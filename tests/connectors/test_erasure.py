"""Mirrors of an erased customer, against the Trello simulator: deleted or left, and never brought back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sinks.erasure.job import erasure_job_id
from tests.connectors.trello_world import TrelloWorld
from tests.harness.audit import assert_clean
from tests.harness.roles import running, wait_until
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id, outcomes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
_ROWS = """
SELECT (SELECT count(*) FROM sync_external_id_mappings WHERE local_id = ANY(%(ids)s::uuid[]))
  + (SELECT count(*) FROM sync_ledger WHERE interaction_id = ANY(%(ids)s::uuid[]))
  + (SELECT count(*) FROM sync_echo_log WHERE interaction_id = ANY(%(ids)s::uuid[]))
  + (SELECT count(*) FROM integration_warnings WHERE interaction_id = ANY(%(ids)s::uuid[]))
"""


@pytest.fixture(scope="module")
def started(world: TrelloWorld) -> Iterator[TrelloWorld]:
    world.cli("sync", world.integration)
    with world.connectors(), running(world.settings, "jobs"):
        wait_until(lambda: bool(world.simulator.webhooks.known), 60)
        yield world


def customer_of(world: TrelloWorld) -> TrelloWorld:
    """The same world, seen by another customer."""
    other = replace(world, customer=new_id())
    upsert = {"id": other.customer, "kind": "person", "displayName": "Grace"}
    assert other.send("entity.upsert", upsert)["outcome"] == "applied"
    return other


def erase(world: TrelloWorld, mirrors: str) -> None:
    """Erase the customer, and wait for the job."""
    command = event("entity.erase", world.customer, {"id": world.customer, "mirrors": mirrors})
    assert outcomes(world.settings, [command])[0]["outcome"] == "applied"
    job = erasure_job_id(TENANT, ORGANIZATION, command["id"])
    wait_until(lambda: world.one("SELECT state FROM jobs WHERE id = %s", job) == ("completed",), 60)


def rows(world: TrelloWorld, ids: list[str]) -> int:
    found = world.one(_ROWS.replace("%(ids)s", "%s"), *([ids] * 4))
    assert found is not None
    return int(found[0])


def mirrored(world: TrelloWorld) -> tuple[list[str], list[str]]:
    """A live mirror and an archived one: ids of the interactions, and of their cards."""
    ids = [world.mirrored_call("Stays"), world.mirrored_call("Deleted before")]
    cards = []
    for identity in ids:
        card = world.card_of(identity)
        assert card is not None
        cards.append(card["id"])
    world.send("interaction.delete", {"id": ids[1]})
    wait_until(lambda: world.simulator.board.cards[cards[1]]["closed"], 60)
    world.at_rest()
    return ids, cards


def test_left_cards_stay_and_bring_nothing_back(started: TrelloWorld) -> None:
    world, other = customer_of(started), customer_of(started)
    ids, cards = mirrored(world)
    witness = other.mirrored_call("Witness")
    card = other.card_of(witness)
    assert card is not None
    writes = world.card_writes()
    erase(world, "leave")
    wait_until(lambda: rows(world, ids) == 0, 60, lambda: str(rows(world, ids)))
    assert world.card_writes() == writes, "the provider is not called"
    board = world.simulator.board
    assert all(identity in board.cards for identity in cards)
    board.update_card(cards[0], {"name": "Changed by a person"})
    board.update_card(card["id"], {"name": "Seen"})
    world.wait_row(witness, title="Seen")
    world.at_rest()
    counts = "SELECT count(*) FROM customer_interactions WHERE entity_id = %s OR title LIKE %s"
    assert world.one(counts, world.customer, "Changed by%") == (0,)
    assert rows(world, ids) == 0
    assert_clean(world.settings)


def test_deleted_cards_are_gone_also_the_archived_ones(started: TrelloWorld) -> None:
    world, other = customer_of(started), customer_of(started)
    ids, cards = mirrored(world)
    kept = other.mirrored_call("Of another customer")
    erase(world, "delete")
    board = world.simulator.board
    wait_until(lambda: not any(identity in board.cards for identity in cards), 60)
    wait_until(lambda: rows(world, ids) == 0, 60, lambda: str(rows(world, ids)))
    assert other.card_of(kept) is not None
    assert rows(world, [kept]) > 0
    assert_clean(world.settings)


def test_an_outage_delays_the_deletion_alone(started: TrelloWorld) -> None:
    world = customer_of(started)
    identity = world.mirrored_call("Secret")
    card = world.card_of(identity)
    assert card is not None
    with world.simulator.outage():
        erase(world, "delete")
        texts = "SELECT base, extra, external_url FROM sync_external_id_mappings WHERE local_id = %s"
        assert world.one(texts, identity) == ({}, {}, None), "the texts are gone already"
        assert world.one("SELECT count(*) FROM sync_echo_log WHERE interaction_id = %s", identity) == (0,)
        report: Any = world.one("SELECT report FROM jobs WHERE settings ->> 'entityId' = %s", world.customer)
        assert report[0]["mirrorsPending"] == 1
    wait_until(lambda: card["id"] not in world.simulator.board.cards, 90)
    wait_until(lambda: rows(world, [identity]) == 0, 60)
