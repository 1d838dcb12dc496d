"""Events of signals and drafts: each follows from its own content, and continues the one before (A4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from audit.derived_ids import derived
from audit.findings import Check
from audit.history import Record
from audit.interaction_tuple import camel
from audit.signals.rows import Child, Draft, Signal, differing, from_shape

_OF_SIGNALS: Final = (
    "recorded", "updated", "resolving", "resolved", "failed", "skipped", "reopened", "reverted", "deleted",
)  # fmt: skip
_OF_DRAFTS: Final = ("created", "updated", "sent", "deleted", "restored", "reverted", "removed")
#: Event type → its kind of row.
TYPES: Final[dict[str, type[Signal] | type[Draft]]] = {
    **{f"customers.signal.{verb}": Signal for verb in _OF_SIGNALS},
    **{f"customers.draft.{verb}": Draft for verb in _OF_DRAFTS},
}
NEW: Final = frozenset({"customers.signal.recorded", "customers.draft.created"})
GONE: Final = frozenset({"customers.signal.deleted", "customers.draft.removed"})
_UNCOUNTED: Final = frozenset({"version", "updated_at"})


class LastEvent(NamedTuple):
    """Last event of a signal or draft: hash of its ``after`` (0: removed), version and position."""

    after: int
    version: int
    partition: int
    offset: int


class ChildEvents:
    """State accumulated over the events of signals and drafts.

    :ivar images: hash of the id of each event → hash of its ``before`` and ``after``.
    :ivar counts: events per command, by the index of its log row.
    :ivar last: last event by id of the signal or draft, and of its customer.
    """

    def __init__(self) -> None:
        self.images: dict[int, int] = {}
        self.counts: dict[int, int] = {}
        self.last: dict[tuple[str, str], LastEvent] = {}

    def add(self, event_id: int, number: int | None, value: Mapping[str, Any], kind: type[Child]) -> None:
        """Add an event that is not a copy.

        :param number: index of its command's log row.
        """
        self.images[event_id] = image_of(_row(kind, value.get("before")), _row(kind, value.get("after")))
        if number is not None:
            self.counts[number] = self.counts.get(number, 0) + 1

    def chain(
        self, record: Record, event_type: str, value: Mapping[str, Any], a4: Check, *, truncated: bool
    ) -> None:
        """Check an event against its own images and its predecessor.

        :param truncated: retention has removed the oldest events.
        """
        kind, version, entity = TYPES[event_type], value["version"], value["entityId"]
        where = {"id": value["id"], "entityId": entity, "commandId": value["commandId"]}
        before, after = _row(kind, value.get("before")), _row(kind, value.get("after"))
        if (before is None) != (event_type in NEW) or (after is None) != (event_type in GONE):
            a4.fail("before and after do not fit the type of the event", record, **where)
        if version != value["entityVersion"] or (after is not None and after.version != version):
            a4.fail("the version of a signal or draft is not the entityVersion", record, **where)
        for row in (before, after):
            if row is not None and not _names(value, row):
                a4.fail("before or after is another signal or draft", record, **where)
        if sorted(value["changedFields"]) != _changed(before, after):
            a4.fail("changedFields are not the fields that differ", record, **where)
        known = self.last.get((value["id"], entity))
        if known is not None or not truncated:
            if (hash(before) if before else 0) != (known.after if known else 0):
                place = f"{known.partition}:{known.offset}" if known else "none"
                a4.fail(f"before is not the after of the event before ({place})", record, **where)
            if known is not None and version <= known.version:
                a4.fail(f"version {version} follows {known.version}", record, **where)
        image = hash(after) if after else 0
        self.last[value["id"], entity] = LastEvent(image, version, record.partition, record.offset)


def image_of(before: Child | None, after: Child | None) -> int:
    """Hash a change."""
    return hash((before, after))


def event_id(tenant: str, organization: str, command: str, event_type: str, row: str) -> str:
    """Id of an event of a signal or draft, of which a command may have several."""
    # The escaped command id has no slash: no two lists of parts have the same id.
    escaped = command.replace("%", "%25").replace("/", "%2F")
    return derived("event", tenant, organization, escaped, event_type, row)


def _row(kind: type[Child], shape: Mapping[str, Any] | None) -> Signal | Draft | None:
    if shape is None:
        return None
    return from_shape(Signal, shape) if kind is Signal else from_shape(Draft, shape)


def _names(value: Mapping[str, Any], row: Signal | Draft) -> bool:
    """Return whether an event and an image name the same row, interaction, customer and signal."""
    named = ("id", "interaction_id", "entity_id", *(("signal_id",) if isinstance(row, Draft) else ()))
    return all(value[camel(name)] == getattr(row, name) for name in named)


def _changed(before: Child | None, after: Child | None) -> list[str]:
    if before is None or after is None:
        return []
    return sorted(camel(name) for name in differing(before, after) if name not in _UNCOUNTED)
