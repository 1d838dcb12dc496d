"""Author of test histories: publishes commands aimed at existing rows, and lets both sides apply them."""

from __future__ import annotations

from typing import Any

from domain.decision import Decision
from domain.model import ErasedEntity
from domain.results import result_of
from tests.unit.domain.commands import (
    ADA,
    BOB,
    EVE,
    FOREIGN,
    ORGANIZATION,
    at,
    deal_id,
    events_of,
    interaction_id,
)
from tests.unit.domain.comparison import Comparison
from tests.unit.domain.store import Store

PEOPLE = {ADA: ORGANIZATION, BOB: ORGANIZATION, EVE: FOREIGN}


class Author:
    """Author of one history over three customers, one of them in another organization.

    ``pick`` and ``back`` count backwards: 0 is the latest interaction or command.
    """

    def __init__(self) -> None:
        self.both = Comparison()
        self.created = 0
        self.ids: list[str] = []
        self.published: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        for number, (entity, organization) in enumerate(PEOPLE.items()):
            data = {"id": entity, "kind": "person", "displayName": "Ada"}
            self.publish("entity.upsert", data, organization=organization, entity=entity)
            self.publish_for(entity, "deal.upsert", {"id": deal_id(number), "title": "Deal"})

    def publish(self, kind: str, data: dict[str, Any], **options: Any) -> Decision:
        self.published.append((kind, data, options))
        return self.both.step(kind, data, **options)

    def publish_for(self, entity: str, kind: str, data: dict[str, Any]) -> Decision:
        return self.publish(kind, data, entity=entity, organization=PEOPLE[entity])

    def dated(self, data: dict[str, Any], source: int | None, expected: int | None) -> dict[str, Any]:
        """Add a source timestamp, ``source`` minutes from now, and an expected version."""
        if source is not None:
            data["sourceTimestamp"] = at(self.both.publisher.minutes + source)
        if expected is not None:
            data["expectedVersion"] = expected
        return data

    def target(self, pick: int) -> tuple[str, str]:
        """An interaction and its entity; the entity is Ada when the interaction is deleted."""
        identity = self.ids[-1 - pick % len(self.ids)]
        row = self.both.model.rows.get(identity)
        return identity, row["entityId"] if row else ADA

    def create(
        self,
        entity: str,
        fields: dict[str, Any],
        *,
        source: int | None = None,
        expected: int | None = None,
        named: bool = False,
        taken: bool = False,
        quickly: bool = False,
    ) -> None:
        data = self.dated(dict(fields), source, expected)
        if named:
            # Descending: the order of ids must not follow the order of creation.
            self.created += 1
            data["id"] = interaction_id(100_000 - self.created)
        if taken and self.both.model.versions:
            # An id that is or was in use; ids of deleted interactions first.
            gone = set(self.both.model.versions) - set(self.both.model.rows)
            data["id"] = min(gone or self.both.model.versions)
        if quickly:
            self.both.publisher.minutes -= 1  # in the same instant as the command before
        decision = self.publish_for(entity, "interaction.create", data)
        if decision.entry.interaction_id is not None:
            self.ids.append(decision.entry.interaction_id)

    def update(
        self,
        pick: int,
        fields: dict[str, Any],
        *,
        source: int | None = None,
        expected: int | None = None,
        stranger: str | None = None,
    ) -> None:
        identity, entity = self.target(pick)
        data = self.dated({"id": identity, **fields}, source, expected)
        self.publish_for(stranger or entity, "interaction.update", data)

    def turn(
        self,
        pick: int,
        verb: str,
        *,
        source: int | None = None,
        expected: int | None = None,
        occurred: str | None = None,
        feedback: str | None = None,
        following: dict[str, Any] | None = None,
    ) -> None:
        identity, entity = self.target(pick)
        data = self.dated({"id": identity}, source, expected)
        if verb == "complete":
            given = {"occurredAt": occurred, "feedback": feedback, "next": following}
            data.update({name: value for name, value in given.items() if value is not None})
        decision = self.publish_for(entity, f"interaction.{verb}", data)
        step = decision.facts.step if decision.outcome == "applied" else None
        if step is not None:
            self.ids.append(step.row.id)

    def undo(self, back: int, *, source: int | None = None, expected: int | None = None) -> None:
        latest = self.both.commands[-1 - back % len(self.both.commands)]
        entity = latest.envelope.entity_id
        data = self.dated({"commandId": latest.envelope.id}, source, expected)
        self.publish_for(entity if entity in PEOPLE else ADA, "interaction.undo", data)

    def mark_due(self, pick: int, phase: str, *, stale: bool = False) -> None:
        identity, entity = self.target(pick)
        row = self.both.model.rows.get(identity)
        version = row["armed"] + stale if row else 1
        data = {"id": identity, "scheduleVersion": version, "phase": phase}
        self.publish_for(entity, "interaction.mark_due", data)

    def recompute(self, entity: str) -> None:
        self.publish_for(entity, "interaction.recompute_next", {})

    def dictionary(self, entity: str, code: str, change: dict[str, Any]) -> None:
        organization = PEOPLE[entity]
        data = {"interactionType": code, **change}
        self.publish("interaction_type.upsert", data, entity=organization, organization=organization)

    def erase(self, entity: str, *, expected: int | None = None) -> None:
        self.publish_for(entity, "entity.erase", self.dated({"id": entity}, None, expected))

    def rename(self, entity: str, name: str, *, expected: int | None = None) -> None:
        data = self.dated({"id": entity, "kind": "person", "displayName": name}, None, expected)
        self.publish_for(entity, "entity.upsert", data)

    def repeat(self, back: int, *, altered: bool = False) -> None:
        """Publish a command id again, with the same or different content."""
        index = -1 - back % len(self.published)
        kind, data, options = self.published[index]
        if altered:
            data = {**data, "sourceTimestamp": at(-1)}
        self.publish(kind, data, **{**options, "command_id": self.both.commands[index].envelope.id})

    def only_validate(self, back: int) -> None:
        kind, data, options = self.published[-1 - back % len(self.published)]
        options = {name: value for name, value in options.items() if name != "command_id"}
        self.publish(kind, {**data, "validateOnly": True}, **options)

    def check_split(self, size: int) -> Store:
        """Fold the history in batches that load only their read set: the decisions must be the same."""
        store = Store()
        decisions: list[Decision] = []
        for start in range(0, len(self.both.commands), size):
            decisions += store.execute(self.both.commands[start : start + size])
        for split, whole in zip(decisions, self.both.decisions, strict=True):
            assert result_of(split) == result_of(whole)
            assert events_of(split) == events_of(whole)
            assert (split.entry, split.logged, split.relabeled) == (
                whole.entry,
                whole.logged,
                whole.relabeled,
            )
        work = self.both.publisher.work
        assert store.interactions == work.interactions
        assert store.entities == work.entities
        assert store.deals == work.deals
        assert store.tables[ErasedEntity] == work.erased
        return store
