"""Kill the connectors before and after provider calls and sends: nothing is lost or created twice.

``tests/simulation`` does the same at random, a thousand times.
"""

from __future__ import annotations

from collections.abc import Collection

import pytest

from runtime.crash_points import CONNECTOR_POINTS
from tests.connectors.trello_world import TrelloWorld

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
_ONE = ["connector-after-call-before-result"]


@pytest.mark.parametrize("points", [_ONE, pytest.param(CONNECTOR_POINTS, marks=pytest.mark.long)])
def test_a_kill_makes_nothing_twice(world: TrelloWorld, points: Collection[str]) -> None:
    before = len(world.cards())
    known = world.plan_call(title="known")
    world.cli("sync", world.integration)
    with world.connectors():
        card = world.wait_card(known)
        world.at_rest()
    made = []
    for number, point in enumerate(sorted(points)):
        if "send" not in point:
            # The event agent joins ten seconds late, when the session of the killed member has expired.
            made.append(world.plan_call(title=f"new {number}"))
        world.simulator.board.update_card(card["id"], {"name": f"edit {number}"})
        armed = {"INTERACTIONS_TEST_BUILD": "1", "INTERACTIONS_CRASH_POINT": point}
        with world.connectors(**armed) as role:
            assert role.wait_for_exit(90) == -9, f"{point} was not reached"
    with world.connectors():
        world.wait_row(known, title=f"edit {number}")
        for identity in made:
            world.wait_card(identity)  # fails for two cards
        world.at_rest()
    assert len(world.cards()) == before + 1 + len(made)
    assert world.row(known) is not None
    open_ends = "SELECT count(*) FROM sync_ledger WHERE pending IS NOT NULL OR intent_marker IS NOT NULL"
    assert world.one(open_ends) == (0,)
