"""Random provider responses: no sequence cancels in mass or blocks another integration."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final

import pytest

from runtime.postgres import Connection
from schemas.errors import InteractionsError
from tests.harness.examples import first_of
from tests.harness.seed import SEED
from tests.simulation.core import Core
from tests.simulation.mirrored import Mirrored

pytestmark = pytest.mark.integration
_MIRRORS: Final = 8
#: Deletions that the policy admits within six hours; each sequence is shorter.
_MOST: Final = 2
_ANSWERS: Final = (
    "all 404",
    "board gone",
    "empty listing",
    "lost token",
    "deleted",
    "outage",
    "lost",
    "well",
)


def _answer(world: Mirrored, calls: list[str], chance: random.Random) -> str:
    """Switch the board to another kind of response."""
    board, things = world.board, list(world.board.things.values())
    kind = chance.choice(_ANSWERS)
    board.vanished, board.outage, board.lose_answer = kind == "board gone", kind == "outage", 0.0
    if kind in ("all 404", "empty listing"):  # only the board itself answers
        for thing in things:
            thing.deleted = True
        board.forgets = kind == "empty listing"
    elif kind == "deleted":
        for thing in chance.sample(things, chance.randint(1, len(things))):
            thing.deleted = True
            board.changed(thing, "gone")
    elif kind == "well":
        for thing in things:
            thing.deleted = False
    board.forgets = board.forgets or kind == "lost token"
    board.lose_answer = 0.5 if kind == "lost" else 0.0
    for identity in chance.sample(calls, 5):
        world.say("update", identity, title=f"edited {chance.random()}")
    return kind


def _settle(world: Mirrored, *, polls: bool) -> None:
    try:
        world.settle(6, polls=polls)
    except InteractionsError:  # a failed poll is a failed maintenance task; pushes continue
        world.settle(6, polls=False)


@pytest.mark.parametrize("number", first_of(range(12), 3))
def test_no_answers_of_a_provider_cancel_in_mass_or_hold_up_others(
    servers: tuple[Connection, Core], number: int
) -> None:
    print(f"repeat with INTERACTIONS_CHAOS_SEED={SEED}")
    chance = random.Random(f"{SEED}/mass/{number}")
    hostile = Mirrored(*servers, most_deletions=_MOST, most_deleted_share=0.0)
    healthy = Mirrored(*servers)
    calls, [beside] = hostile.calls(_MIRRORS), healthy.calls(1)
    drawn: list[str] = []
    for step in range(6):
        detached = len(hostile.warnings("detached"))
        drawn.append(_answer(hostile, calls, chance))
        _settle(hostile, polls=chance.random() < 0.5)
        if drawn[-1] in {"board gone", "outage"}:
            assert len(hostile.warnings("detached")) <= detached, f"a 404 counted as a deletion after {drawn}"
        if hostile.state()[0] == "needs_auth":
            hostile.activate()  # a plain resume confirms no deletion
        hostile.time += timedelta(minutes=5)
        canceled = hostile.statuses(calls).get("canceled", 0)
        assert canceled <= _MOST, f"{canceled} of {_MIRRORS} canceled after {drawn}"
        healthy.say("update", beside, title=f"step {step}")
        healthy.settle(3)
        assert healthy.thing(beside).values["title"] == f"step {step}"
        assert healthy.state()[0] == "active"
    print(drawn, hostile.state(), hostile.statuses(calls))
