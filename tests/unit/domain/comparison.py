"""Comparison of the rules with the simple model, after every command of a history."""

from __future__ import annotations

from typing import Any

from pydantic.alias_generators import to_snake

from domain.decision import Decision
from domain.results import result_of
from schemas.command import Command, Refused
from schemas.event_types import EVENT_TYPES
from schemas.outcomes import Result
from tests.unit.domain.commands import TENANT, Publisher, events_of
from tests.unit.domain.simple_model import FIELDS, Model, Row

_COLUMNS = {name: to_snake(name) for name in FIELDS}


def check_shape(decision: Decision) -> None:
    """Check that every published value has exactly the members of its model."""
    record = decision.command.record
    place = {
        "commandTopic": record.topic,
        "commandPartition": record.partition,
        "commandOffset": record.offset,
    }
    value = {**result_of(decision), **place}
    assert Result.model_validate(value).model_dump(by_alias=True) == value
    for event in events_of(decision):
        assert (
            EVENT_TYPES[event.type].model_validate(event.payload).model_dump(by_alias=True) == event.payload
        )


def _without_time(record: Row | None) -> Row | None:
    """Without ``updatedAt``, which interactions of a customer change too."""
    return {**record, "updatedAt": None} if record is not None else None


class Comparison:
    """The rules, the simple model, and the commands so far."""

    def __init__(self) -> None:
        self.publisher = Publisher()
        self.model = Model()
        self.commands: list[Command | Refused] = []
        self.decisions: list[Decision] = []
        #: Customers, deals and types by kind, organization and id, as the last event shows them.
        self.shown: dict[tuple[str, str, str], Any] = {}

    def step(self, kind: str, data: Row, **options: Any) -> Decision:
        command = self.publisher.make(kind, data, **options)
        assert isinstance(command, Command), command.rejection
        decision = self.publisher.execute(command)
        self.commands.append(command)
        self.decisions.append(decision)
        envelope = command.envelope
        fate = self.model.execute(
            {
                "id": envelope.id,
                "type": envelope.type,
                "tenant": TENANT,
                "organization": envelope.organization_id,
                "entity": envelope.entity_id,
                "now": command.appended_at,
                "source": command.source_timestamp,
                "data": data,
                "expected": data.get("expectedVersion"),
                "validate": data.get("validateOnly", False),
                "content": (envelope.type, envelope.entity_id, data),
            }
        )
        self.compare(decision, fate)
        return decision

    def compare(self, decision: Decision, fate: Row) -> None:
        result = result_of(decision)
        seen = {
            "outcome": result["outcome"],
            "code": (result["problem"] or {}).get("code"),
            "version": result["version"],
            "entityVersion": result["entityVersion"],
            "events": [
                (event.type, event.payload["reason"])
                for event in events_of(decision)
                if "reason" in event.payload
            ],
            "warnings": [warning["field"] for warning in result["warnings"]],
            "relabeled": decision.relabeled,
        }
        assert seen == fate
        check_shape(decision)
        self.compare_records(decision)
        self.compare_rows()
        self.compare_entities()

    def compare_records(self, decision: Decision) -> None:
        """Events of customers, deals and types: each begins where the one before it ended."""
        for event in events_of(decision):
            if "reason" in event.payload:
                continue
            _, kind, verb = event.type.split(".")
            if verb == "erased":
                self.shown = {
                    key: shown
                    for key, shown in self.shown.items()
                    if event.key not in (key[2], (shown or {}).get("entityId"))
                }
                continue
            key = kind, event.payload["organizationId"], event.subject
            before = _without_time(event.payload["before"])
            assert verb == ("created" if before is None else "updated")
            # The default types are stored before the first command.
            assert before == self.shown.get(key, before if kind == "interaction_type" else None)
            self.shown[key] = _without_time(event.payload["after"])

    def compare_rows(self) -> None:
        rows = self.publisher.work.interactions
        assert set(rows) == set(self.model.rows)
        for key, expected in self.model.rows.items():
            row = rows[key]
            seen = {name: getattr(row, column) for name, column in _COLUMNS.items()}
            seen.update(
                id=row.id,
                tenant=row.tenant_id,
                organization=row.organization_id,
                entityId=row.entity_id,
                status=row.status,
                version=row.version,
                armed=row.schedule_version,
                announced=row.due_phase,
                createdAt=row.created_at,
                asOf={
                    "status": row.status_as_of,
                    "scheduledAt": row.scheduled_as_of,
                    "occurredAt": row.occurred_as_of,
                },
            )
            assert seen == expected

    def compare_entities(self) -> None:
        entities = self.publisher.work.entities
        assert set(entities) == set(self.model.entities)
        for key, expected in self.model.entities.items():
            entity = entities[key]
            next_interaction, last = entity.next, entity.last
            shown = None
            if next_interaction is not None:
                shown = (
                    next_interaction.interaction_id,
                    next_interaction.at,
                    next_interaction.name,
                    next_interaction.icon,
                    next_interaction.color,
                )
            seen = (
                entity.entity_version,
                shown,
                (last.interaction_id, last.at, last.name) if last else None,
                (entity.open_count, entity.overdue_count, entity.done_count),
            )
            assert seen == (expected["version"], expected["next"], expected["last"], expected["counts"])
