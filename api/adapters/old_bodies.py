"""Request bodies of the deprecated routes, as their clients send them.

Fields that an interaction has no place for are rejected with a pointer, never dropped. Members that only the
lists show may be sent back and are ignored.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from api.adapters.old_dates import OldDate
from api.problems import validation_failed
from domain.legacy_rows import SEVERITIES
from schemas.errors import FieldError
from schemas.instants import parse_instant
from schemas.values import InteractionType, ShortText, UuidText, no_nul

# Hazard: the limits must be next to ``str``. After another validator, pydantic does not look at the text
# itself and lets lone surrogates pass, which no command can carry.
_Subject = Annotated[str, StringConstraints(max_length=200), AfterValidator(no_nul)]
_LongText = Annotated[str, StringConstraints(max_length=8000), AfterValidator(no_nul)]
_TodoTitle = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(no_nul)]
_TodoSource = Annotated[str, StringConstraints(max_length=120), AfterValidator(no_nul)]
_Phone = Annotated[str, StringConstraints(max_length=50), AfterValidator(no_nul)]
_Date = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
_Time = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$")]
_Color = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^#[0-9a-fA-F]{6}$")]
_Icon = Annotated[ShortText, StringConstraints(strip_whitespace=True)]
_Flag = Annotated[bool, Field(strict=True)]
_Empty = Annotated[dict[str, Any], Field(max_length=0)]

#: Severity → priority (0–100), used if no priority is given.
#: Fields that forms send as empty text if they are not filled in.
_FORM_FIELDS: Final = frozenset({"due_at", "severity", "priority"})


class OldBody(BaseModel):
    """Base of the old bodies. Tenant and organization may be given; they must match the token."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=False, frozen=True)

    #: Members that the route's list shows and no write can set.
    shown: ClassVar[frozenset[str]] = frozenset()

    tenant_id: UuidText | None = None
    organization_id: UuidText | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_shown(cls, value: Any) -> Any:
        if isinstance(value, dict) and not cls.shown.isdisjoint(value):
            return {name: item for name, item in value.items() if name not in cls.shown}
        return value

    def given(self, name: str) -> bool:
        """Report whether the client sent the field, including as ``null``."""
        return name in self.model_fields_set


class _Activity(OldBody):
    subject: _Subject | None = None
    body: _LongText | None = None
    date: _Date | None = None
    time: _Time | None = None
    occurred_at: OldDate | None = None
    phone_number: _Phone | None = None
    deal_id: UuidText | None = None
    author_user_id: UuidText | None = None
    appearance_icon: _Icon | None = None
    appearance_color: _Color | None = None
    # An interaction has no custom fields.
    custom_fields: _Empty | None = None
    custom_values: _Empty | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> _Activity:
        if (self.date is None) != (self.time is None):
            raise ValueError("date and time must be given together")
        self.occurred()
        return self

    def occurred(self) -> datetime | None:
        """When the activity took place: ``date`` and ``time`` (UTC), otherwise ``occurredAt``.

        :raises ValueError: date and time do not exist in the calendar.
        """
        if self.date is None or self.time is None:
            return self.occurred_at
        try:
            local = datetime.fromisoformat(f"{self.date}T{self.time}")
        except ValueError:
            raise ValueError("date and time do not exist in the calendar") from None
        return parse_instant(local.replace(tzinfo=UTC))

    @property
    def occurred_given(self) -> bool:
        """Report whether the client sent the time of the activity, including as ``null``."""
        return self.date is not None or self.given("occurred_at")


class ActivityCreate(_Activity):
    """``POST /api/customers/activities``."""

    entity_id: UuidText
    activity_type: InteractionType


class ActivityUpdate(_Activity):
    """``PUT /api/customers/activities``. The customer of an activity cannot change."""

    shown = frozenset(
        {"createdAt", "authorName", "authorEmail", "dealTitle", "activityTypeLabel", "_integrations"}
    )

    id: UuidText
    entity_id: UuidText | None = None
    activity_type: InteractionType | None = None


class TodoCustom(BaseModel):
    """Custom values of a todo that map to fields of an interaction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    priority: Annotated[int, Field(ge=0, le=100)] | None = None
    severity: str | None = None
    description: _LongText | None = None
    due_at: OldDate | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_forms_send_it(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "dueAt" in value and "due_at" not in value:
            value = {("due_at" if name == "dueAt" else name): item for name, item in value.items()}
        return {name: None if name in _FORM_FIELDS and item == "" else item for name, item in value.items()}

    @model_validator(mode="after")
    def _known_severity(self) -> TodoCustom:
        if self.severity is not None and self.severity.lower() not in SEVERITIES:
            raise ValueError(f"severity must be one of {', '.join(SEVERITIES)}")
        return self

    def fields(self) -> dict[str, Any]:
        """The given fields of the interaction, by their names in a command."""
        given = self.model_fields_set
        found: dict[str, Any] = {}
        if "priority" in given:
            found["priority"] = self.priority
        elif self.severity is not None:
            found["priority"] = SEVERITIES[self.severity.lower()]
        if "description" in given:
            found["body"] = self.description
        if "due_at" in given:
            found["scheduledAt"] = self.due_at
        return found


class _Todo(OldBody):
    is_done: _Flag | None = None
    snake_done: Annotated[_Flag | None, Field(alias="is_done")] = None
    todo_source: _TodoSource | None = None
    custom_values: TodoCustom | None = None
    custom: TodoCustom | None = None
    todo_custom: TodoCustom | None = None
    custom_fields: TodoCustom | None = None

    def done(self) -> bool | None:
        """The todo's done flag; ``None`` if the client did not send it."""
        return self.is_done if self.is_done is not None else self.snake_done

    def fields(self) -> dict[str, Any]:
        """The fields of the interaction in the custom values. A later member wins."""
        found: dict[str, Any] = {}
        for values in (self.custom_values, self.custom, self.todo_custom, self.custom_fields):
            if values is not None:
                found.update(values.fields())
        return found


class TodoCreate(_Todo):
    """``POST /api/customers/todos``. ``todoSource`` is accepted and ignored."""

    entity_id: UuidText
    title: _TodoTitle
    created_by_user_id: UuidText | None = None


class TodoUpdate(_Todo):
    """``PUT /api/customers/todos``. Three members may hold the id of the link or of the todo."""

    shown = frozenset(
        {
            "todoTitle", "todoIsDone", "todoPriority", "todoSeverity", "todoDescription", "todoDueAt",
            "todoCustomValues", "todoOrganizationId", "todoUpdatedAt", "createdAt", "externalHref",
            "customer", "_integrations",
        }
    )  # fmt: skip

    id: UuidText | None = None
    link_id: UuidText | None = None
    todo_id: UuidText | None = None
    title: _TodoTitle | None = None
    entity_id: UuidText | None = None

    def ids(self) -> tuple[str, ...]:
        """The given ids, the link's first.

        :raises Reject: none was given (400).
        """
        return distinct_ids(self.link_id, self.id, self.todo_id)


class OldDelete(OldBody):
    """``DELETE`` of activities and todos: the id is in the body or in the query."""

    id: UuidText | None = None
    link_id: UuidText | None = None
    todo_id: UuidText | None = None


def distinct_ids(*given: str | None) -> tuple[str, ...]:
    """The given ids without duplicates.

    :raises Reject: none was given (400).
    """
    found = tuple(dict.fromkeys(identity for identity in given if identity is not None))
    if not found:
        raise validation_failed((FieldError("missing_field", "is required", "/id"),))
    return found
