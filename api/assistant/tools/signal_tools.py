"""Tools that change signals and drafts."""

from __future__ import annotations

from typing import Final

from api.assistant.tools.arguments import ChangeArguments
from api.assistant.tools.tool import WriteTool
from api.routes import drafts, signals
from api.routes.draft_models import DraftUpdateBody
from api.routes.signal_models import ResolveBody, SkipBody


class ResolveArguments(ResolveBody, ChangeArguments):
    """A signal to resolve, and the draft to write."""


class SkipArguments(SkipBody, ChangeArguments):
    """A signal about which nothing is to be done."""


class EditArguments(DraftUpdateBody, ChangeArguments):
    """The text of a draft."""


RESOLVE_SIGNAL: Final = WriteTool(
    name="resolve_signal",
    title="Resolve a signal with a draft",
    description="Have a draft written for a signal. SAVED means that the signal is resolved and the draft is"
    " stored. The draft is a proposal: a person sends it.",
    arguments=ResolveArguments,
    method="POST",
    path=f"{signals.PATH}/resolve",
    row="draftId",
)
SKIP_SIGNAL: Final = WriteTool(
    name="skip_signal",
    title="Skip a signal",
    description="Decide that nothing is to be done about a signal.",
    arguments=SkipArguments,
    method="POST",
    path=f"{signals.PATH}/skip",
    row="signalId",
)
EDIT_DRAFT: Final = WriteTool(
    name="edit_draft",
    title="Edit a draft",
    description="Change subject and body of a draft that is not sent. Fields that are left out keep their"
    " value.",
    arguments=EditArguments,
    method="PUT",
    path=drafts.PATH,
    row="draftId",
)
