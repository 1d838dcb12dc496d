"""Base of request bodies: closed models, so that an unknown field is rejected with a pointer to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from schemas.instants import format_instant


class RequestBody(BaseModel):
    """A closed JSON object with camelCase names."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=False, validate_by_alias=True
    )

    def data(self, *leave_out: str) -> dict[str, Any]:
        """The members that the client sent, as JSON. ``null`` is kept: it clears a field.

        :param leave_out: Python names of members that are not part of the command.
        """
        members = type(self).model_fields
        sent = sorted(self.model_fields_set - set(leave_out))
        return {members[name].alias or name: _json(getattr(self, name)) for name in sent}


def _json(value: Any) -> Any:
    if isinstance(value, RequestBody):
        return value.data()
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    return format_instant(value) if isinstance(value, datetime) else value
