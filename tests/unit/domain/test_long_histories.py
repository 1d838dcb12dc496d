"""Long histories of busy customers, weighted so that most commands change something."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from tests.harness.examples import first_of
from tests.unit.domain.author import Author
from tests.unit.domain.commands import ADA, BOB, EVE, at, deal_id

WEIGHTS = {
    "create": 28,
    "update": 22,
    "turn": 22,
    "undo": 14,
    "mark_due": 8,
    "recompute": 2,
    "dictionary": 2,
    "rename": 1,
    "repeat": 3,
    "only_validate": 2,
}


class Chance:
    """Random choices of one seed."""

    def __init__(self, seed: int, busy: float) -> None:
        self.random = random.Random(seed)
        self.busy = busy

    def person(self) -> str:
        return ADA if self.random.random() < self.busy else self.random.choice([BOB, EVE])

    def fields(self, **always: Any) -> dict[str, Any]:
        choose = self.random.choice
        choices = {
            "title": choose(["Ring back", None]),
            # Few distinct instants, so that ties in every criterion are common.
            "scheduledAt": choose([None, *[at(number * 60) for number in range(5)]]),
            "occurredAt": choose([None, at(0), at(60)]),
            "priority": choose([None, None, 0, 1, 100]),
            "appearanceIcon": choose([None, "star"]),
            "appearanceColor": choose([None, "#FF0000"]),
            "dealId": choose([None, None, deal_id(0), deal_id(1), deal_id(2)]),
            "interactionType": choose(["call", "task", "demo", "site_visit"]),
        }
        chances = {"scheduledAt": 0.8, "occurredAt": 0.15, "dealId": 0.1}
        kept = {n: v for n, v in choices.items() if self.random.random() < chances.get(n, 0.4)}
        return {**kept, **always}

    def source(self) -> int | None:
        return self.random.choice([None, None, 0, 4, -1, -3, -40])

    def expected(self) -> int | None:
        return self.random.choice([0, 1, 2, 3]) if self.random.random() < 0.05 else None


def write(author: Author, chance: Chance, commands: int, reach: int) -> None:
    """Publish ``count`` commands; ``reach`` is how far back they refer."""
    choose, integer = chance.random.choice, chance.random.randrange
    while len(author.both.commands) < commands:
        verb = chance.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if not author.ids or verb == "create":
            fields = chance.fields(interactionType=choose(["call", "task", "demo"]))
            if integer(5) == 0:
                fields["status"] = choose(["planned", "done", "canceled"])
            options = {"named": choose([True, False]), "quickly": choose([True, False])}
            source, expected = chance.source(), chance.expected()
            taken = integer(30) == 0
            author.create(chance.person(), fields, source=source, expected=expected, taken=taken, **options)
        elif verb == "update":
            stranger = choose([BOB, EVE]) if integer(20) == 0 else None
            source, expected = chance.source(), chance.expected()
            author.update(
                integer(reach), chance.fields(), source=source, expected=expected, stranger=stranger
            )
        elif verb == "turn":
            way = choose(["complete", "complete", "cancel", "reopen", "reopen", "delete"])
            occurred = choose([None, None, at(30), at(90)])
            following = None
            if way == "complete" and integer(2) == 0:
                following = {"interactionType": choose(["call", "task"]), **chance.fields()}
                for name in ("occurredAt", "status"):
                    following.pop(name, None)
            author.turn(integer(reach), way, source=chance.source(), occurred=occurred, following=following)
        elif verb == "undo":
            author.undo(integer(choose([1, 2, 6, 40])), source=chance.source(), expected=chance.expected())
        elif verb == "mark_due":
            author.mark_due(integer(reach), choose(["due", "overdue"]), stale=integer(5) == 0)
        elif verb == "recompute":
            author.recompute(chance.person())
        elif verb == "dictionary":
            label, strict = choose(["Ring", "Call"]), choose([True, False])
            changes: list[dict[str, Any]] = [{"label": label}, {"icon": "bell"}, {"strict": strict}]
            author.dictionary(chance.person(), choose(["call", "task", "demo"]), choose(changes))
        elif verb == "rename":
            author.rename(chance.person(), choose(["Ada", "Grace"]))
        elif verb == "repeat":
            author.repeat(integer(20), altered=integer(3) == 0)
        else:
            author.only_validate(integer(20))


@pytest.mark.parametrize("seed", first_of(range(6), 2))
def test_the_rules_agree_with_the_simple_model(seed: int) -> None:
    author = Author()
    write(author, Chance(seed, busy=0.8), commands=250, reach=8)
    outcomes = Counter(decision.outcome for decision in author.both.decisions)
    assert outcomes["applied"] > 90, outcomes
    for size in (1, 3, 17):
        author.check_split(size)


@pytest.mark.parametrize("seed", first_of([100, 101]))
def test_the_first_rows_of_a_hot_customer_are_enough(seed: int) -> None:
    author = Author()
    write(author, Chance(seed, busy=1.0), commands=500, reach=120)
    planned = author.both.model.entities[ADA]["counts"][0]
    assert planned > 40
    # Far fewer rows are loaded than the customer has; otherwise this test would prove nothing.
    assert author.check_split(4).most_loaded < len(author.both.model.rows) / 3
    author.check_split(19)
