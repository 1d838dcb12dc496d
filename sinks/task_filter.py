"""The filter of the work list: one WHERE clause for its pages, its counts and jobs on all that match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

from sinks.search_pattern import like

#: Half-open range of dates; ``None`` is unbounded on that side.
Range = tuple[datetime | None, datetime | None]
_CONDITIONS: Final = {
    "owner_user_id": "i.owner_user_id = %(owner_user_id)s",
    "interaction_type": "i.interaction_type = %(interaction_type)s",
    "entity_id": "i.entity_id = %(entity_id)s",
    "scheduled_until": "i.scheduled_as_of <= %(scheduled_until)s",
    "search": "(i.title ILIKE %(search)s OR e.display_name ILIKE %(search)s)",
}
#: Table of the statements, with the customer ``e`` if the filter needs it.
TASKS: Final = "customer_interactions i"
TASKS_WITH_CUSTOMERS: Final = f"{TASKS} JOIN customer_entities e ON e.id = i.entity_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilters:
    """``None`` does not filter.

    :param interaction_types: the codes of the types that count as tasks.
    :param scheduled_until: leave out tasks whose date was set later.
    :param done_since: interactions that were completed since then, instead of planned ones.
    :param search: case-insensitive part of the title or of the customer's name.
    """

    interaction_types: tuple[str, ...] | None = None
    owner_user_id: str | None = None
    interaction_type: str | None = None
    entity_id: str | None = None
    scheduled_until: datetime | None = None
    search: str | None = None
    done_since: datetime | None = None

    @property
    def tables(self) -> str:
        """FROM clause of a statement with these conditions."""
        return TASKS_WITH_CUSTOMERS if self.search else TASKS

    def conditions(
        self, tenant_id: str, organization_id: str, *, planned: bool = True
    ) -> tuple[list[str], dict[str, Any]]:
        """Conditions on interactions ``i`` of one scope, and their parameters.

        :param planned: false for those that were completed or canceled.
        """
        status = "i.status = 'planned'" if planned else "i.status IN ('done', 'canceled')"
        if self.done_since is not None:
            status = "i.status = 'done' AND i.status_as_of >= %(done_since)s"
        conditions = [
            "i.tenant_id = %(tenant)s AND i.organization_id = %(organization)s",
            status,
        ]
        values: dict[str, Any] = {"tenant": tenant_id, "organization": organization_id}
        if self.done_since is not None:
            values["done_since"] = self.done_since
        if self.interaction_types is not None:
            conditions.append("i.interaction_type = ANY(%(types)s)")
            values["types"] = list(self.interaction_types)
        for name, condition in _CONDITIONS.items():
            value = getattr(self, name)
            if value:
                values[name] = like(value) if name == "search" else value
                conditions.append(condition)
        return conditions, values


#: Filters of a job: planned tasks, with its own limit of time.
_IN_SETTINGS: Final = tuple(
    it.name for it in fields(TaskFilters) if it.name not in ("scheduled_until", "done_since")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSelection:
    """Tasks of one or of all date groups.

    :param dated: with a date in the range, or without a date; ``None`` for both.
    """

    filters: TaskFilters
    dated: bool | None = None
    range_: Range = (None, None)

    def conditions(self, tenant_id: str, organization_id: str) -> tuple[list[str], dict[str, Any]]:
        """Conditions on planned interactions ``i`` of one scope, and their parameters."""
        conditions, values = self.filters.conditions(tenant_id, organization_id)
        if self.dated is not None:
            conditions += range_conditions(self.range_ if self.dated else None, values)
        return conditions, values

    def as_settings(self) -> dict[str, Any]:
        """JSON form, for the settings of a job."""
        begin, end = (it.isoformat() if it is not None else None for it in self.range_)
        filters = {name: value for name, value in asdict(self.filters).items() if name in _IN_SETTINGS}
        return {"filters": filters, "dated": self.dated, "begin": begin, "end": end}


def selection_of(settings: Mapping[str, Any]) -> TaskSelection:
    """Inverse of ``TaskSelection.as_settings``."""
    given = {name: settings["filters"].get(name) for name in _IN_SETTINGS}
    types = given.pop("interaction_types")
    begin, end = (
        datetime.fromisoformat(settings[name]) if settings[name] else None for name in ("begin", "end")
    )
    return TaskSelection(
        filters=TaskFilters(interaction_types=tuple(types) if types is not None else None, **given),
        dated=settings["dated"],
        range_=(begin, end),
    )


def range_conditions(range_: Range | None, values: dict[str, Any]) -> list[str]:
    """Conditions of a date group; adds their parameters.

    :param range_: ``None`` for interactions without a date.
    """
    if range_ is None:
        return ["i.scheduled_at IS NULL"]
    conditions = ["i.scheduled_at IS NOT NULL"]
    for name, operator, value in zip(("begin", "end"), (">=", "<"), range_, strict=True):
        if value is not None:
            conditions.append(f"i.scheduled_at {operator} %({name})s")
            values[name] = value
    return conditions
