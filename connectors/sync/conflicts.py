"""Conflicts of one unit: the warnings that are open, what a person decided, and new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.store.interactions import InteractionState
from connectors.store.warnings import close_warnings, item_warning, open_warnings, raise_warning
from connectors.sync.context import SyncContext
from connectors.sync.merge import Merge, Side
from connectors.sync.values import from_json, to_json

_CHANGED: Final = "both sides changed this field; ours is kept until somebody decides"
_UNREADABLE: Final = (
    "the provider's value of this field cannot be read or is out of range; both sides keep their own until"
    " it is corrected there or ours is taken"
)
_SIDES: dict[str, Side] = {"take_local": "local", "take_remote": "remote"}


class Disputes:
    """The open disputes of one unit.

    :ivar held: field → the provider's value that the rules refused.
    :ivar decided: a person has decided at least one of them.
    """

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        item = context.item
        found = open_warnings(context.connection, item.integration_id, item.interaction_id)
        self._open = [warning for warning in found if warning.field is not None]
        self.entry = {
            str(warning.field): from_json(str(warning.field), warning.remote_value)
            for warning in self._open
            if warning.kind == "refused"
        }
        self.decided = any(warning.resolution in _SIDES for warning in self._open)

    def decisions(self, local: Mapping[str, Any], remote: Mapping[str, Any]) -> dict[str, Side]:
        """What holds of the decisions: only those on the very values that the sides still have."""
        return {
            str(warning.field): _SIDES[warning.resolution]
            for warning in self._open
            if warning.resolution in _SIDES
            and warning.local_value == to_json(local.get(str(warning.field)))
            and warning.remote_value == to_json(remote.get(str(warning.field)))
        }

    def note(self, result: Merge, subject: InteractionState) -> None:
        """Raise what is in conflict now, and close what is not any more."""
        item, connection = self._context.item, self._context.connection
        disputed = [*result.conflicts, *result.unreadable]
        names = {conflict.name for conflict in disputed}
        close_warnings(connection, [warning.id for warning in self._open if warning.field not in names])
        for conflict in disputed:
            if conflict.name in self.entry:
                continue  # its warning says more
            _, new = raise_warning(
                connection,
                item_warning(
                    item,
                    "conflict",
                    _UNREADABLE if conflict in result.unreadable else _CHANGED,
                    entity_id=subject.entity_id,
                    field=conflict.name,
                    local_value=to_json(conflict.local),
                    remote_value=to_json(conflict.remote),
                ),
            )
            if new:
                self._context.session.announce(
                    "warning",
                    self._context.session.integration,
                    subject.entity_id,
                    {"kind": "conflict", "interactionId": item.interaction_id, "field": conflict.name},
                )
