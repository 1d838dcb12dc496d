"""Random histories: the rules against the simple model, and in one batch against many small ones."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from domain.decision import Decision
from tests.unit.domain.commands import ADA, BOB, EVE, FOREIGN, ORGANIZATION, at, deal_id, interaction_id
from tests.unit.domain.comparison import Comparison
from tests.unit.domain.store import Store

PEOPLE = {ADA: ORGANIZATION, BOB: ORGANIZATION, EVE: FOREIGN}
#: Mostly Ada: a history needs many commands on one customer to get deep.
people = st.sampled_from([ADA] * 6 + [BOB, EVE])
minutes = st.integers(0, 6).map(lambda number: number * 10)
types = st.sampled_from(["call", "call", "task", "demo", "site_visit"])
maybe_source = st.one_of(st.none(), st.none(), st.integers(-4, 4))
maybe_expected = st.one_of(*[st.none()] * 6, st.integers(0, 3))
maybe_instant = st.one_of(st.none(), minutes.map(at))
optional_fields = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["Ring back", "Send offer", None]),
        "scheduledAt": maybe_instant,
        "occurredAt": maybe_instant,
        "priority": st.sampled_from([None, 0, 1, 100]),
        "appearanceIcon": st.sampled_from([None, "star"]),
        "appearanceColor": st.sampled_from([None, "#FF0000"]),
        "dealId": st.sampled_from([None, *map(deal_id, range(3))]),
    },
)


class Histories(RuleBasedStateMachine):
    """Every rule publishes one command; both sides must agree on everything that follows."""

    def __init__(self) -> None:
        super().__init__()
        self.both = Comparison()
        self.created = 0
        self.ids: list[str] = []
        self.command_ids: list[tuple[str, dict[str, Any], dict[str, str]]] = []

    @initialize()
    def customers(self) -> None:
        for entity, organization in PEOPLE.items():
            data = {"id": entity, "kind": "person", "displayName": "Ada"}
            self.publish("entity.upsert", data, entity, organization=organization)
        for number, entity in enumerate((ADA, BOB, EVE)):
            self.publish("deal.upsert", {"id": deal_id(number), "title": "Deal"}, entity)

    def publish(self, kind: str, data: dict[str, Any], person: str, **options: Any) -> Decision:
        options = {"organization": PEOPLE[person], "entity": person, **options}
        self.command_ids.append((kind, data, options))
        return self.both.step(kind, data, **options)

    def more(self, data: dict[str, Any], source: int | None, expected: int | None) -> dict[str, Any]:
        if source is not None:
            data["sourceTimestamp"] = at(self.both.publisher.minutes + source)
        if expected is not None:
            data["expectedVersion"] = expected
        return data

    @rule(
        entity=people, fields=optional_fields, code=types, source=maybe_source, expected=maybe_expected,
        status=st.sampled_from([None, None, None, "planned", "done", "canceled"]), named=st.booleans(),
        again=st.integers(0, 15), quickly=st.booleans(),
    )  # fmt: skip
    def create(
        self, entity: str, fields: dict[str, Any], code: str, source: int | None, expected: int | None,
        status: str | None, named: bool, again: int, quickly: bool,
    ) -> None:  # fmt: skip
        data = self.more({"interactionType": code, **fields}, source, expected)
        if status is not None:
            data["status"] = status
        if named:
            self.created += 1
            # Descending: an id's order must not follow the order of creation.
            data["id"] = interaction_id(1000 - self.created)
            living = sorted(self.both.model.rows)
            if again == 0 and living:
                data["id"] = living[0]
        if quickly:
            self.both.publisher.minutes -= 1  # the same instant as the command before
        decision = self.publish("interaction.create", data, entity)
        if decision.interaction_id is not None:
            self.ids.append(decision.interaction_id)

    def target(self, pick: int) -> tuple[str, str]:
        """One of the latest interactions, with its entity (or Ada, when it is gone)."""
        identity = self.ids[-1 - pick % min(len(self.ids), 6)]
        row = self.both.model.rows.get(identity)
        return identity, row["entityId"] if row else ADA

    @precondition(lambda self: self.ids)
    @rule(
        pick=st.integers(0, 5), fields=optional_fields, code=st.one_of(st.none(), types), source=maybe_source,
        expected=maybe_expected, stranger=st.integers(0, 15),
    )  # fmt: skip
    def update(
        self, pick: int, fields: dict[str, Any], code: str | None, source: int | None, expected: int | None,
        stranger: int,
    ) -> None:  # fmt: skip
        identity, entity = self.target(pick)
        data = self.more({"id": identity, **fields}, source, expected)
        if code is not None:
            data["interactionType"] = code
        self.publish("interaction.update", data, EVE if stranger == 0 else BOB if stranger == 1 else entity)

    @precondition(lambda self: self.ids)
    @rule(
        pick=st.integers(0, 5), verb=st.sampled_from(["complete", "complete", "cancel", "reopen", "delete"]),
        source=maybe_source, expected=maybe_expected, occurred=maybe_instant,
    )  # fmt: skip
    def turn(
        self, pick: int, verb: str, source: int | None, expected: int | None, occurred: str | None
    ) -> None:
        identity, entity = self.target(pick)
        data = self.more({"id": identity}, source, expected)
        if verb == "complete" and occurred is not None:
            data["occurredAt"] = occurred
        self.publish(f"interaction.{verb}", data, entity)

    @precondition(lambda self: self.ids)
    @rule(pick=st.integers(0, 8), source=maybe_source, expected=maybe_expected)
    def undo(self, pick: int, source: int | None, expected: int | None) -> None:
        latest = self.both.commands[-1 - pick % min(len(self.both.commands), 9)]
        data = self.more({"commandId": latest.envelope.id}, source, expected)
        entity = latest.envelope.entity_id
        self.publish("interaction.undo", data, entity if entity in PEOPLE else ADA)

    @precondition(lambda self: self.ids)
    @rule(pick=st.integers(0, 5), phase=st.sampled_from(["due", "overdue"]), stale=st.integers(0, 5))
    def mark_due(self, pick: int, phase: str, stale: int) -> None:
        identity, entity = self.target(pick)
        row = self.both.model.rows.get(identity)
        version = row["armed"] if row and stale else 2
        data = {"id": identity, "scheduleVersion": version, "phase": phase}
        self.publish("interaction.mark_due", data, entity)

    @rule(entity=people)
    def recompute(self, entity: str) -> None:
        self.publish("interaction.recompute_next", {}, entity)

    @rule(
        entity=people, code=types,
        change=st.sampled_from([{"label": "Ring"}, {"label": "Call"}, {"icon": "bell"}, {"strict": True},
                                {"strict": False}, {"color": None}]),
    )  # fmt: skip
    def dictionary(self, entity: str, code: str, change: dict[str, Any]) -> None:
        data = {"interactionType": code, **change}
        organization = PEOPLE[entity]
        self.publish("interaction_type.upsert", data, entity, entity=organization, organization=organization)

    @rule(entity=people, name=st.sampled_from(["Ada", "Grace"]), expected=maybe_expected)
    def rename(self, entity: str, name: str, expected: int | None) -> None:
        data = self.more({"id": entity, "kind": "person", "displayName": name}, None, expected)
        self.publish("entity.upsert", data, entity)

    @rule(pick=st.integers(0, 8), other=st.booleans())
    def repeat(self, pick: int, other: bool) -> None:
        index = -1 - pick % min(len(self.command_ids), 9)
        kind, data, options = self.command_ids[index]
        command_id = self.both.commands[index].envelope.id
        if other:
            data = {**data, "sourceTimestamp": at(-1)}
        options = {**options, "command_id": command_id}
        self.command_ids.append((kind, data, options))
        self.both.step(kind, data, **options)

    @precondition(lambda self: self.ids)
    @rule(pick=st.integers(0, 8))
    def only_validate(self, pick: int) -> None:
        kind, data, options = self.command_ids[-1 - pick % min(len(self.command_ids), 9)]
        options = {name: value for name, value in options.items() if name != "command_id"}
        self.publish(kind, {**data, "validateOnly": True}, ADA, **options)

    def teardown(self) -> None:
        for size in (1, 2, 3, 7, len(self.both.commands)):
            check_split(self.both, size)


def check_split(both: Comparison, size: int) -> None:
    """Folded in batches that load only what they must, the history comes out the same."""
    store = Store()
    decisions: list[Decision] = []
    for start in range(0, len(both.commands), size or 1):
        decisions += store.carry_out(both.commands[start : start + size])
    for split, whole in zip(decisions, both.decisions, strict=True):
        assert split.result == whole.result
        assert split.events == whole.events
        assert (split.undo, split.logged, split.relabeled) == (whole.undo, whole.logged, whole.relabeled)
    world = both.publisher.world
    assert store.interactions == world.interactions
    assert store.entities == world.entities
    assert store.deals == world.deals


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
