"""Signals, drafts and outcomes as flat tuples, independent of their source, so that they compare directly.

Fields are named like their columns, and like their members in events, but for the case. Instants are in µs,
long texts are digests (``audit.interaction_tuple.short``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

from audit.instants import micros
from audit.interaction_tuple import camel, short


class Signal(NamedTuple):
    """One row of ``signals``."""

    id: str
    interaction_id: str
    entity_id: str
    organization_id: str
    tenant_id: str
    kind: str
    title: str
    status: str
    detected_at: int
    version: int
    created_at: int
    updated_at: int
    body: str | None = None
    person_id: str | None = None
    confidence: int | None = None
    channel: str | None = None
    instruction: str | None = None
    language: str | None = None
    resolution: int | None = None
    requested_at: int | None = None
    resolved_by: str | None = None
    draft_id: str | None = None
    resolved_at: int | None = None
    failure: str | None = None
    failure_detail: str | None = None


class Draft(NamedTuple):
    """One row of ``generated_drafts``."""

    id: str
    signal_id: str
    interaction_id: str
    entity_id: str
    organization_id: str
    tenant_id: str
    person_id: str
    channel: str
    body: str
    language: str
    status: str
    writer: str
    version: int
    created_at: int
    updated_at: int
    user_id: str | None = None
    subject: str | None = None
    template_id: str | None = None
    model: str | None = None
    prompt_hash: str | None = None
    sent_at: int | None = None


class Outcome(NamedTuple):
    """One row of ``signal_outcomes``."""

    id: str
    signal_id: str
    interaction_id: str
    entity_id: str
    organization_id: str
    tenant_id: str
    outcome: str
    command_id: str
    created_at: int
    detail: str | None = None
    draft_id: str | None = None
    actor_id: str | None = None


Child = Signal | Draft | Outcome
Kind = TypeVar("Kind", Signal, Draft, Outcome)
TABLES: Final[dict[type[Child], str]] = {
    Signal: "signals",
    Draft: "generated_drafts",
    Outcome: "signal_outcomes",
}
#: Rows with events and states → their name in types of events.
NAMES: Final[dict[type[Child], str]] = {Signal: "signal", Draft: "draft"}
_MEMBERS: Final = {kind: tuple((name, camel(name)) for name in kind._fields) for kind in TABLES}
_TEXTS: Final = frozenset({"title", "body", "instruction", "failure_detail", "subject", "detail"})


def from_row(kind: type[Kind], row: Mapping[str, Any]) -> Kind:
    """Build from a row of the table."""
    return kind(*(value_of(name, row[name]) for name in kind._fields))


def from_shape(kind: type[Kind], value: Mapping[str, Any]) -> Kind:
    """Build from ``before``, ``after`` or a state value."""
    return kind(*(value_of(name, value.get(member)) for name, member in _MEMBERS[kind]))


def value_of(name: str, value: Any) -> Any:
    """Convert the value of a field."""
    if value is None:
        return None
    if name.endswith("_at"):
        return micros(value)
    return short(value) if name in _TEXTS else value


def differing(ours: Child, theirs: Child) -> list[str]:
    """Names of the columns that differ, never their values: these may be customer text."""
    return [name for name, a, b in zip(ours._fields, ours, theirs, strict=True) if a != b]
