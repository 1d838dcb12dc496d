"""Base models of the ``data`` of commands: closed, with camelCase names (spec "API Contracts").

JSON distinguishes "not given" from ``null`` (clear the field). Avro cannot: there ``null`` means "not given",
and ``clear`` lists the fields to clear. JSON publishers can use ``clear`` as well.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from schemas.values import Flag, Instant, ShortText, UuidText


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


#: A default that is never used and hidden from the schema, because generated clients would send it.
DEFAULT_UNSEEN: Final = Field(json_schema_extra=_without_default)


class Editing(BaseModel):
    """Base of models that list changes of a row."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=False, strict=False
    )

    #: Fields that a command of this type may change, by their Python names.
    mutable: ClassVar[frozenset[str]] = frozenset()
    #: Mutable fields that can be cleared.
    clearable: ClassVar[frozenset[str]] = frozenset()

    def changes(self) -> dict[str, Any]:
        """Mutable fields that the publisher set, by Python name; ``None`` clears a field."""
        given = self.model_fields_set
        return {name: getattr(self, name) for name in self.mutable if name in given}


class Payload(Editing):
    """Fields common to the data of all commands."""

    #: Fields required for a new row and optional in a change. Avro, which cannot omit a string, always
    #: requires them.
    required_when_new: ClassVar[frozenset[str]] = frozenset()
    #: For the rules, a field that is not given differs from its default.
    partial: ClassVar[bool] = False

    entity_id: UuidText | None = None
    source_timestamp: Instant | None = None
    validate_only: Flag = False
    expected_version: Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)] | None = None
    sync_origin: ShortText | None = None

    def missing_when_new(self) -> list[str]:
        """Required fields of a new row that are missing, by their names in ``data``."""
        return sorted(to_camel(name) for name in self.required_when_new - self.model_fields_set)


class ClearingByName(Editing):
    """Base of models whose optional fields can be cleared by name."""

    clear: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        names = {to_camel(name) for name in self.clearable} if self.clear else set()
        for name in self.clear:
            if name not in names:
                raise ValueError(f"clear can only list {', '.join(sorted(names))}")
        return self

    def changes(self) -> dict[str, Any]:
        changes = Editing.changes(self)
        if self.clear:
            wanted = set(self.clear)
            changes.update({name: None for name in self.clearable if to_camel(name) in wanted})
        return changes


class Clearing(ClearingByName, Payload):
    """Base of payloads whose optional fields can be cleared by name."""

    partial = True
