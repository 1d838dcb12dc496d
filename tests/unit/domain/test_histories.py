"""Hypothesis state machine: the rules against the simple model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.harness.examples import scaled
from tests.unit.domain.author import Author
from tests.unit.domain.commands import ADA, BOB, EVE, at, deal_id

# All examples take minutes on a machine with other work.
pytestmark = pytest.mark.timeout(900)

people = st.sampled_from([ADA, ADA, ADA, BOB, EVE])
types = st.sampled_from(["call", "task", "demo", "site_visit"])
source = st.one_of(st.none(), st.integers(-4, 4))
expected = st.one_of(st.none(), st.none(), st.none(), st.integers(0, 3))
maybe_instant = st.one_of(st.none(), st.integers(0, 6).map(lambda number: at(number * 10)))
few = st.integers(0, 3)
optional: dict[str, st.SearchStrategy[Any]] = {
    "title": st.sampled_from(["Ring back", "Send offer", None]),
    "scheduledAt": maybe_instant,
    "occurredAt": maybe_instant,
    "priority": st.sampled_from([None, 0, 1, 100]),
    "appearanceIcon": st.sampled_from([None, "star"]),
    "appearanceColor": st.sampled_from([None, "#FF0000"]),
    "dealId": st.sampled_from([None, *map(deal_id, range(3))]),
}
statuses = st.sampled_from(["planned", "done", "canceled"])
moved = {
    "createdAt": maybe_instant,
    "updatedAt": maybe_instant,
    "source": st.sampled_from(["manual", "migration:activity"]),
}
created = st.fixed_dictionaries(
    {"interactionType": types}, optional={**optional, "status": statuses, **moved}
)
planned_next = st.fixed_dictionaries(
    {"interactionType": types},
    optional={name: values for name, values in optional.items() if name != "occurredAt"},
)
updated = st.fixed_dictionaries({}, optional={**optional, "interactionType": types, "status": statuses})
dictionary_changes = st.sampled_from(
    [{"label": "Ring"}, {"icon": "bell"}, {"color": None}, {"strict": True}, {"strict": False}]
)


def any_interaction(machine: Histories) -> bool:
    return bool(machine.author.ids)


class Histories(RuleBasedStateMachine):
    """Each step publishes one command; both sides must agree on all of its effects."""

    def __init__(self) -> None:
        super().__init__()
        self.author = Author()

    @rule(entity=people, fields=created, source=source, expected=expected, named=st.booleans())
    def create(self, **options: Any) -> None:
        self.author.create(**options)

    @rule(entity=people, fields=created, taken=st.booleans(), quickly=st.booleans(), named=st.just(True))
    def create_named(self, **options: Any) -> None:
        self.author.create(**options)

    @precondition(any_interaction)
    @rule(pick=few, fields=updated, source=source, expected=expected)
    def update(self, **options: Any) -> None:
        self.author.update(**options)

    @precondition(any_interaction)
    @rule(pick=few, fields=updated, stranger=st.sampled_from([BOB, EVE]))
    def update_by_a_stranger(self, **options: Any) -> None:
        self.author.update(**options)

    @precondition(any_interaction)
    @rule(
        pick=few,
        verb=st.sampled_from(["complete", "cancel", "reopen", "delete"]),
        source=source,
        expected=expected,
        occurred=maybe_instant,
        feedback=st.sampled_from([None, "Wants an offer"]),
        following=st.one_of(st.none(), planned_next),
    )
    def turn(self, **options: Any) -> None:
        self.author.turn(**options)

    @rule(back=few, source=source, expected=expected)
    def undo(self, **options: Any) -> None:
        self.author.undo(**options)

    @precondition(any_interaction)
    @rule(pick=few, phase=st.sampled_from(["due", "overdue"]), stale=st.booleans())
    def mark_due(self, **options: Any) -> None:
        self.author.mark_due(**options)

    @rule(entity=people)
    def recompute(self, entity: str) -> None:
        self.author.recompute(entity)

    @rule(entity=people, code=types, change=dictionary_changes)
    def dictionary(self, **options: Any) -> None:
        self.author.dictionary(**options)

    @rule(entity=people, name=st.sampled_from(["Ada", "Grace"]), expected=expected)
    def rename(self, **options: Any) -> None:
        self.author.rename(**options)

    @rule(entity=st.sampled_from([BOB, EVE]), expected=expected)
    def erase(self, **options: Any) -> None:
        self.author.erase(**options)

    @rule(back=few, altered=st.booleans())
    def repeat(self, **options: Any) -> None:
        self.author.repeat(**options)

    @rule(back=few)
    def only_validate(self, back: int) -> None:
        self.author.only_validate(back)

    def teardown(self) -> None:
        for size in (1, 3, len(self.author.both.commands)):
            self.author.check_split(size)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=scaled(50), stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
