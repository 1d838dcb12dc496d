"""Request bodies: closed models, so that an unknown field is refused with a pointer to it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class RequestBody(BaseModel):
    """What all bodies share: camelCase names, nothing unknown."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=False, validate_by_alias=True
    )

    def data(self, *leave_out: str) -> dict[str, Any]:
        """The members that were sent, as JSON; ``null`` stays, since it empties a field.

        :param leave_out: Python names of members that do not belong to the command.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=set(leave_out))
