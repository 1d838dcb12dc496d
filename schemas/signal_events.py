"""Values of the events and states of signals and drafts (Avro; camelCase by alias)."""

from __future__ import annotations

from typing import Final

from schemas.events import InstantText, Published


class SignalSnapshot(Published):
    """Signal in its published form; the value of its state topic.

    ``resolution`` is the version that the last ``signal.resolve`` left, ``requestedAt`` its time.
    ``personId`` is null if the customer itself is the person to contact. ``failure`` is the code of the
    reason why the last resolution failed.
    """

    id: str
    interaction_id: str
    entity_id: str
    kind: str
    title: str
    body: str | None = None
    person_id: str | None = None
    confidence: int | None = None
    status: str
    detected_at: InstantText
    channel: str | None = None
    instruction: str | None = None
    language: str | None = None
    resolution: int | None = None
    requested_at: InstantText | None = None
    resolved_by: str | None = None
    draft_id: str | None = None
    resolved_at: InstantText | None = None
    failure: str | None = None
    failure_detail: str | None = None
    organization_id: str
    tenant_id: str
    version: int
    created_at: InstantText
    updated_at: InstantText


class DraftSnapshot(Published):
    """Draft in its published form; the value of its state topic.

    ``userId`` is the user who resolved the signal. ``templateId``, or ``model`` and ``promptHash``, say where
    the text came from.
    """

    id: str
    signal_id: str
    interaction_id: str
    entity_id: str
    person_id: str
    user_id: str | None = None
    channel: str
    subject: str | None = None
    body: str
    language: str
    status: str
    writer: str
    template_id: str | None = None
    model: str | None = None
    prompt_hash: str | None = None
    sent_at: InstantText | None = None
    organization_id: str
    tenant_id: str
    version: int
    created_at: InstantText
    updated_at: InstantText


class ChildEvent(Published):
    """Fields common to the changes of signals and drafts.

    ``version`` and ``entityVersion`` are the customer's version after the command, also for a removal.
    ``before`` is null when the row is new, ``after`` when it is removed. ``changedFields`` lists the fields
    that differ, without ``version`` and ``updatedAt``; it is empty when either is null.
    """

    id: str
    interaction_id: str
    entity_id: str
    tenant_id: str
    organization_id: str
    version: int
    entity_version: int
    command_id: str
    reason: str
    sync_origin: str | None = None
    actor_id: str | None = None
    recorded_at: InstantText
    source_timestamp: InstantText
    changed_fields: list[str]


class SignalEvent(ChildEvent):
    """One change of one signal."""

    before: SignalSnapshot | None = None
    after: SignalSnapshot | None = None


class DraftEvent(ChildEvent):
    """One change of one draft."""

    signal_id: str
    before: DraftSnapshot | None = None
    after: DraftSnapshot | None = None


SIGNAL_RECORDED: Final = "customers.signal.recorded"
SIGNAL_UPDATED: Final = "customers.signal.updated"
SIGNAL_RESOLVING: Final = "customers.signal.resolving"
SIGNAL_RESOLVED: Final = "customers.signal.resolved"
SIGNAL_FAILED: Final = "customers.signal.failed"
SIGNAL_SKIPPED: Final = "customers.signal.skipped"
SIGNAL_REOPENED: Final = "customers.signal.reopened"
SIGNAL_REVERTED: Final = "customers.signal.reverted"
SIGNAL_DELETED: Final = "customers.signal.deleted"
DRAFT_CREATED: Final = "customers.draft.created"
DRAFT_UPDATED: Final = "customers.draft.updated"
DRAFT_SENT: Final = "customers.draft.sent"
DRAFT_DELETED: Final = "customers.draft.deleted"
DRAFT_RESTORED: Final = "customers.draft.restored"
DRAFT_REVERTED: Final = "customers.draft.reverted"
DRAFT_REMOVED: Final = "customers.draft.removed"

SIGNAL_EVENTS: Final = (
    SIGNAL_RECORDED,
    SIGNAL_UPDATED,
    SIGNAL_RESOLVING,
    SIGNAL_RESOLVED,
    SIGNAL_FAILED,
    SIGNAL_SKIPPED,
    SIGNAL_REOPENED,
    SIGNAL_REVERTED,
    SIGNAL_DELETED,
)
DRAFT_EVENTS: Final = (
    DRAFT_CREATED,
    DRAFT_UPDATED,
    DRAFT_SENT,
    DRAFT_DELETED,
    DRAFT_RESTORED,
    DRAFT_REVERTED,
    DRAFT_REMOVED,
)

#: Event type → model of its value.
CHILD_EVENT_TYPES: Final[dict[str, type[ChildEvent]]] = {
    **dict.fromkeys(SIGNAL_EVENTS, SignalEvent),
    **dict.fromkeys(DRAFT_EVENTS, DraftEvent),
}
