"""The journal: one entry per decided command, from which its result, its events and its undo follow."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from domain.log_identity import given_id, log_identity
from domain.model import Draft, Interaction, NextInteraction, Outcome, Signal, SignalOutcome
from schemas.command import Command, Refused


class ReadAttributes(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Attributes of a refused record, as far as they could be read."""

    command_id: str | None = None
    command_type: str | None = None
    tenant_id: str | None = None
    organization_id: str | None = None


class RecordChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record other than an interaction that a command added or changed.

    :param kind: as in ``schemas.events.RECORD_EVENTS``.
    :param id: id of the record; a code for an interaction type.
    :param before: the record in its published form; ``None`` if it is new.
    """

    kind: str
    id: str
    before: dict[str, Any] | None = None
    after: dict[str, Any]


class RowChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A signal, draft or outcome that a command added, changed or removed.

    :param event: type of the event; ``None`` for an outcome, which is part of its signal's events.
    """

    event: str | None = None
    before: Signal | Draft | SignalOutcome | None = None
    after: Signal | Draft | SignalOutcome | None = None

    @property
    def row(self) -> Signal | Draft | SignalOutcome:
        """The row after the change, or before its removal."""
        row = self.after if self.after is not None else self.before
        assert row is not None
        return row


class StepChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A next step that a completion planned, or that an undo removed or restored.

    :param event: type of its lifecycle event.
    :param version: version of the interaction after the change; a deletion has its own.
    """

    event: str
    before: Interaction | None = None
    after: Interaction | None = None
    version: int

    @property
    def row(self) -> Interaction:
        """The interaction after the change, or before its removal."""
        row = self.after if self.after is not None else self.before
        assert row is not None
        return row


class Erased(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ids of the rows that went with an erased customer, for the tombstones of their states.

    They are stored, and published nowhere.

    :param mirrors: policy for the objects at providers.
    """

    mirrors: str
    interactions: tuple[str, ...] = ()
    deals: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    drafts: tuple[str, ...] = ()


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of a decision: the findings and the change, as stored in JSON.

    :param event: type of the lifecycle event, when an interaction changed.
    :param reason: reason that the events give for the change.
    :param before: the interaction before the change, ``None`` if there was none; likewise ``after``.
    :param version: version of the interaction, deal, signal or draft after the command; a deletion has its
        own.
    :param step: the next step, which changed in the same command.
    :param undoable: the change can be undone.
    :param next: the entity's next interaction after the command; ``previous``: before it, if it changed.
    :param next_changed: the next interaction changed.
    :param projection_changed: what views show of the entity's projection changed.
    :param record: the customer, deal or interaction type that changed.
    :param changes: signals, drafts and outcomes that changed.
    :param signal_id: the signal that the command was about; likewise ``draft_id``.
    :param states_only: the command stored default types; no event follows, but states do.
    :param new_type: code of the type that the command added to the dictionary.
    :param warnings: warnings to the publisher (``schemas.outcomes.OutcomeWarning``).
    :param problem: reason for the rejection (``schemas.outcomes.Problem``).
    :param read: attributes of a record that is not a valid command.
    :param relabeled: entities that show the old label of a type, and need ``recompute_next``.
    :param erased: the rows that went with an erased customer.
    :param scrubbed: the customer was erased later, and its texts were removed from these facts: type of
        each event that they had, and id of the signal or draft if it was of one.
    """

    event: str | None = None
    reason: str | None = None
    before: Interaction | None = None
    after: Interaction | None = None
    version: int | None = None
    step: StepChange | None = None
    undoable: bool = False
    previous: NextInteraction | None = None
    next: NextInteraction | None = None
    next_changed: bool = False
    projection_changed: bool = False
    record: RecordChange | None = None
    changes: tuple[RowChange, ...] = ()
    signal_id: str | None = None
    draft_id: str | None = None
    states_only: bool = False
    new_type: str | None = None
    warnings: tuple[dict[str, Any], ...] = ()
    problem: dict[str, Any] | None = None
    read: ReadAttributes | None = None
    relabeled: tuple[str, ...] = ()
    erased: Erased | None = None
    scrubbed: tuple[tuple[str, str | None], ...] | None = None


class OldFacts(Struct, frozen=True, kw_only=True):
    """Contents of a row from before the journal: the result itself, and an image for undo.

    Such rows end with their month.
    """

    result: dict[str, Any]
    undo: dict[str, Any] | None

    @property
    def relabeled(self) -> tuple[str, ...]:
        """Entities that need ``recompute_next``: their commands were published from the outbox."""
        return ()

    @property
    def changes(self) -> tuple[RowChange, ...]:
        """Signals, drafts and outcomes that changed: there were none yet."""
        return ()

    @property
    def step(self) -> None:
        """The next step: no command could plan one yet."""

    @property
    def signal_id(self) -> str | None:
        """The signal that the command was about; likewise ``draft_id``."""
        return None

    draft_id = signal_id

    @property
    def version(self) -> int | None:
        """Version of the interaction or deal after the command."""
        version: int | None = self.result["version"]
        return version

    @property
    def problem(self) -> dict[str, Any] | None:
        """Reason for the rejection."""
        problem: dict[str, Any] | None = self.result["problem"]
        return problem


class JournalEntry(Struct, frozen=True):
    """One row of the journal.

    :param command_id: id in the journal (``domain.log_identity``).
    :param entity_version: version of the entity after the command.
    """

    tenant_id: str
    organization_id: str
    command_id: str
    command_type: str
    entity_id: str | None
    interaction_id: str | None
    partition: int
    offset: int
    fingerprint: bytes
    outcome: Outcome
    entity_version: int | None
    actor_id: str | None
    sync_origin: str | None
    correlation_id: str | None
    traceparent: str | None
    source_timestamp: datetime | None
    appended_at: datetime
    facts: Facts | OldFacts

    @property
    def given_id(self) -> str:
        """The command's own id."""
        return given_id(self.command_id)


NOTHING: Final = Facts()
_LONGEST_TYPE: Final = 200


def make_entry(
    command: Command | Refused,
    outcome: Outcome,
    facts: Facts = NOTHING,
    *,
    interaction_id: str | None = None,
    entity_version: int | None = None,
) -> JournalEntry:
    """Build the entry of a decided command or refused record."""
    envelope, record = command.envelope, command.record
    tenant_id, organization_id, command_id = log_identity(command)
    return JournalEntry(
        tenant_id=tenant_id,
        organization_id=organization_id,
        command_id=command_id,
        command_type=(envelope.type or "unknown")[:_LONGEST_TYPE],
        entity_id=envelope.entity_id,
        interaction_id=interaction_id,
        partition=record.partition,
        offset=record.offset,
        fingerprint=command.fingerprint,
        outcome=outcome,
        entity_version=entity_version,
        actor_id=envelope.actor_id,
        sync_origin=envelope.sync_origin,
        correlation_id=envelope.correlation_id,
        traceparent=envelope.traceparent,
        source_timestamp=command.source_timestamp if isinstance(command, Command) else None,
        appended_at=command.appended_at,
        facts=facts,
    )


def read_attributes(record: Refused) -> ReadAttributes:
    """Attributes of a refused record for its facts."""
    envelope = record.envelope
    return ReadAttributes(
        command_id=envelope.id,
        command_type=envelope.type,
        tenant_id=envelope.tenant_id,
        organization_id=envelope.organization_id,
    )


def deleted_version(entry: JournalEntry) -> int | None:
    """Last version of the interaction that the command deleted; ``None`` when it deleted none."""
    facts = entry.facts
    if isinstance(facts, OldFacts) or facts.before is None or facts.after is not None:
        return None
    return facts.version


def published_count(facts: Facts) -> int:
    """Number of records that the relay publishes for an entry, state records not counted.

    An entry that changes nothing but states counts 1, so that the relay reads it.
    """
    count = (facts.event is not None) + facts.next_changed + (facts.record is not None) + len(facts.relabeled)
    count += (facts.erased is not None) + (facts.step is not None)
    if facts.changes:
        count += sum(change.event is not None for change in facts.changes)
    return count or int(facts.projection_changed or facts.states_only)
