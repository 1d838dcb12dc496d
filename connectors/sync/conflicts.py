"""Conflicts of one sync item: open warnings, their resolutions, and new conflicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.store.interactions import InteractionState
from connectors.store.warnings import close_warnings, item_warning, open_warnings, raise_warning
from connectors.sync.context import SyncContext
from connectors.sync.merge import Merge, Side
from connectors.sync.values import from_json, to_json

_CHANGED: Final = "this field changed on both sides; each side keeps its value until you resolve the conflict"
_UNREADABLE: Final = (
    "the provider's value of this field is unreadable or out of range; each side keeps its value until it is"
    " corrected at the provider or you resolve the conflict with the local value"
)
_SIDES: dict[str, Side] = {"take_local": "local", "take_remote": "remote"}


class OpenConflicts:
    """Open per-field warnings of one sync item.

    :ivar refused: field → remote value that the domain rules rejected.
    :ivar has_resolution: at least one of the warnings has been resolved by a person.
    """

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        item = context.item
        found = open_warnings(context.connection, item.integration_id, item.interaction_id)
        self._open = [warning for warning in found if warning.field is not None]
        self.refused = {
            str(warning.field): from_json(str(warning.field), warning.remote_value)
            for warning in self._open
            if warning.kind == "refused"
        }
        self.has_resolution = any(warning.resolution in _SIDES for warning in self._open)

    def resolutions(self, local: Mapping[str, Any], remote: Mapping[str, Any]) -> dict[str, Side]:
        """Resolutions that still apply: those made on exactly the values that both sides hold now."""
        return {
            str(warning.field): _SIDES[warning.resolution]
            for warning in self._open
            if warning.resolution in _SIDES
            and warning.local_value == to_json(local.get(str(warning.field)))
            and warning.remote_value == to_json(remote.get(str(warning.field)))
        }

    def note(self, result: Merge, subject: InteractionState) -> None:
        """Raise warnings for new conflicts and close those that no longer exist."""
        item, connection = self._context.item, self._context.connection
        found = [*result.conflicts, *result.unreadable]
        names = {conflict.name for conflict in found}
        close_warnings(connection, [warning.id for warning in self._open if warning.field not in names])
        for conflict in found:
            if conflict.name in self.refused:
                continue  # its "refused" warning is more specific
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
