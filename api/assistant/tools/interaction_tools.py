"""Tools that change interactions, and undo."""

from __future__ import annotations

from typing import Final

from api.assistant.tools.arguments import ChangeArguments, Confirmation, ConfirmedArguments, WriteArguments
from api.assistant.tools.tool import WriteTool
from api.bodies import RequestBody
from api.routes import interaction_fix, interactions, undo
from api.routes.interaction_fix import InteractionFixBody
from api.routes.interaction_models import CompletionBody, IdBody, InteractionUpdateBody
from api.routes.undo import UndoBody
from schemas.interaction_fields import InteractionFields
from schemas.values import InteractionType, Status, UuidText


class PlanArguments(InteractionFields, WriteArguments):
    """A new interaction."""

    entity_id: UuidText
    interaction_type: InteractionType
    # Declared without null, so that null is rejected: an interaction always has a status.
    status: Status = "planned"


class UpdateArguments(InteractionUpdateBody, ChangeArguments):
    """Changes of an interaction."""


class NextInteraction(InteractionFields, RequestBody):
    """The interaction that follows a completed one, with the same customer."""

    interaction_type: InteractionType


class CompleteArguments(CompletionBody, ChangeArguments):
    """The completed interaction, and the one that follows it."""

    next: NextInteraction | None = None


class ReopenArguments(IdBody, ChangeArguments):
    """An interaction to plan a second time."""


class ConfirmedId(IdBody, ConfirmedArguments):
    """An interaction to cancel or to delete."""


class FixArguments(InteractionFixBody, ConfirmedArguments):
    """Changes of an interaction and of its signals."""


class UndoArguments(UndoBody, WriteArguments):
    """The token of the change to undo."""

    confirmation: Confirmation | None = None


_ROW: Final = "interactionId"
_TWO_CALLS: Final = (
    " Needs two calls: the first answers with a preview and a confirmation, and saves nothing."
)
_KEEP: Final = " Fields that are left out keep their value; null clears a field."

PLAN_INTERACTION: Final = WriteTool(
    name="plan_interaction",
    title="Plan an interaction",
    description="Create an interaction of a customer (entityId): scheduledAt for a planned one; status done"
    " and occurredAt for one that took place. interactionType: call, email, meeting, note, task or another"
    " word. To correct an existing interaction, use update_interaction or fix_interaction instead.",
    arguments=PlanArguments,
    method="POST",
    path=interactions.PATH,
    row=_ROW,
)
UPDATE_INTERACTION: Final = WriteTool(
    name="update_interaction",
    title="Update an interaction",
    description="Change fields of one interaction, also occurredAt, the time at which it took place. Never"
    " creates an interaction or a signal." + _KEEP,
    arguments=UpdateArguments,
    method="PUT",
    path=interactions.PATH,
    row=_ROW,
)
COMPLETE_INTERACTION: Final = WriteTool(
    name="complete_interaction",
    title="Complete an interaction",
    description="Set a planned interaction to done. next plans the interaction that follows, with the same"
    " customer.",
    arguments=CompleteArguments,
    method="POST",
    path=f"{interactions.PATH}/complete",
    row=_ROW,
)
CANCEL_INTERACTION: Final = WriteTool(
    name="cancel_interaction",
    title="Cancel an interaction",
    description="Set a planned interaction to canceled." + _TWO_CALLS,
    arguments=ConfirmedId,
    method="POST",
    path=f"{interactions.PATH}/cancel",
    row=_ROW,
    destructive=True,
    confirm=lambda _arguments: True,
)
REOPEN_INTERACTION: Final = WriteTool(
    name="reopen_interaction",
    title="Reopen an interaction",
    description="Set an interaction that is done or canceled back to planned.",
    arguments=ReopenArguments,
    method="POST",
    path=f"{interactions.PATH}/reopen",
    row=_ROW,
)
DELETE_INTERACTION: Final = WriteTool(
    name="delete_interaction",
    title="Delete an interaction",
    description="Delete an interaction with its signals and drafts. undo restores all of them." + _TWO_CALLS,
    arguments=ConfirmedId,
    method="DELETE",
    path=interactions.PATH,
    row=_ROW,
    destructive=True,
    confirm=lambda _arguments: True,
)
FIX_INTERACTION: Final = WriteTool(
    name="fix_interaction",
    title="Fix an interaction and its signals",
    description="Correct an interaction and its existing signals together: all changes are stored, or none."
    + _KEEP
    + " With more than one signal:"
    + _TWO_CALLS.lower(),
    arguments=FixArguments,
    method="POST",
    path=interaction_fix.PATH,
    row=_ROW,
    confirm=lambda arguments: len(arguments.signals) > 1,
)
UNDO: Final = WriteTool(
    name="undo",
    title="Undo a change",
    description="Take back one change by the undoToken of its answer. Refused if the row has changed since."
    + _TWO_CALLS,
    arguments=UndoArguments,
    method="POST",
    path=undo.PATH,
    row=_ROW,
    destructive=True,
    confirm=lambda _arguments: True,
)
