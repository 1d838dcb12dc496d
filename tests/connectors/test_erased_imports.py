"""A card that was imported for an erased customer is left alone, also once imports have another customer."""

from __future__ import annotations

import pytest

from runtime.postgres import connect
from tests.connectors.test_erasure import customer_of, erase
from tests.connectors.trello_world import TrelloWorld
from tests.harness.roles import running, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def test_a_card_that_was_imported_is_not_imported_once_more(world: TrelloWorld) -> None:
    other, board = customer_of(world), world.simulator.board
    mapped = (
        "SELECT local_id::text FROM sync_external_id_mappings WHERE external_id = %s AND base IS NOT NULL"
    )
    world.cli("sync", world.integration)
    with world.connectors(), running(world.settings, "jobs"):
        card = board.create_card({"name": "From the board", "idList": board.lists[0]["id"]})
        wait_until(lambda: world.one(mapped, card["id"]) is not None, 60)
        world.at_rest()
        erase(world, "leave")
    with connect(world.settings, application_name="tests", autocommit=True) as connection:
        # As an operator does who imports new cards for another customer from now on.
        connection.execute(
            "UPDATE integrations SET policy = policy || jsonb_build_object('entity_id', %s::text)",
            (other.customer,),
        )
    with world.connectors():
        board.update_card(card["id"], {"name": "Still on the board"})
        board.create_card({"name": "New", "idList": board.lists[0]["id"]})
        titles = "SELECT array_agg(title) FROM customer_interactions WHERE entity_id = %s"
        wait_until(lambda: world.one(titles, other.customer) == (["New"],), 60)
        world.at_rest()
        assert world.one(titles, other.customer) == (["New"],)
        assert world.one(mapped, card["id"]) is None
