"""Events topic: each event once, in entity order, one unbroken before/after chain per interaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from audit.derived_ids import derived
from audit.findings import Report
from audit.history import History, Record
from audit.instants import micros
from audit.interaction_tuple import from_shape
from audit.ledger import Ledger
from audit.record_images import KINDS, image_of_shape, key_of_shape
from audit.signals import child_events
from audit.signals.child_events import ChildEvents

EVENTS: Final = "customers.interactions.events"
_LIFECYCLE: Final = (
    "created", "updated", "completed", "canceled", "reopened", "deleted", "reverted", "due", "overdue",
)  # fmt: skip
NEXT: Final = "customers.next_interaction.updated"
ERASED: Final = "customers.entity.erased"
_RECORDS: Final = (
    *(f"customers.{kind}.{verb}" for kind in KINDS for verb in ("created", "updated")),
    ERASED,
)
#: One bit per event type; a command has at most one lifecycle event, one of its next step (of another type),
#: one projection event and one of a customer, deal or interaction type.
BITS: Final[dict[str, int]] = {
    name: 1 << at
    for at, name in enumerate((*(f"customers.interaction.{name}" for name in _LIFECYCLE), NEXT, *_RECORDS))
}
NEXT_BIT: Final = BITS[NEXT]
_STEP_BITS: Final = BITS["customers.interaction.created"] | BITS["customers.interaction.deleted"]
RECORD_BITS: Final = sum(BITS[name] for name in _RECORDS)
#: Types of events after which an interaction, signal or draft is gone, or is new.
_GONE: Final = child_events.GONE | {"customers.interaction.deleted"}
_NEW: Final = child_events.NEW | {"customers.interaction.created"}
_TIMER: Final = frozenset({"customers.interaction.due", "customers.interaction.overdue"})


class LastEvent(NamedTuple):
    """Last event of an interaction: hash of its ``after`` (0: deleted), version and position."""

    after: int
    version: int
    partition: int
    offset: int


class Events:
    """State accumulated over the whole events topic.

    :ivar ids: hashes of the ids of all published events.
    :ivar last_events: last event by interaction and entity id. A deleted id may reappear under another
        entity, and there is no order across the partitions of two entities.
    :ivar next: hash of the last ``next`` by entity id.
    :ivar children: events of signals and drafts.
    :ivar oldest: if retention has truncated the topic: time in µs before which events may be missing.
    """

    def __init__(self) -> None:
        self.ids: set[int] = set()
        self.last_events: dict[tuple[str, str], LastEvent] = {}
        self._deleted: set[int] = set()
        self._returned: list[tuple[str, int, Record]] = []
        self.next: dict[str, int] = {}
        #: Kind and key of a customer, deal or dictionary entry → its image after its last event.
        self.records: dict[tuple[str, str], int] = {}
        self.sequence: dict[str, int] = {}
        self.children = ChildEvents()
        #: Hash of kind, id and entity of a row that is gone → version of its removal.
        self.removed: dict[int, int] = {}
        #: Erased customers.
        self.erased: set[str] = set()
        self._deals: dict[str, set[str]] = {}
        self.oldest: int | None = None

    def deleted(self, interaction: str, version: int) -> None:
        """Record a deletion."""
        self._deleted.add(hash((interaction, version)))

    def note_removal(self, event_type: str, value: Mapping[str, Any]) -> None:
        """Note that an interaction, signal or draft is gone, or back."""
        key = row_key(event_type.split(".")[1], value["id"], value["entityId"])
        if event_type in _GONE:
            self.removed[key] = value["version"]
        elif event_type in _NEW:
            self.removed.pop(key, None)

    def note_deal(self, deal: str, entity: str) -> None:
        """Note the customer of a deal, with which it is erased."""
        self._deals.setdefault(entity, set()).add(deal)

    def erase(self, entity: str) -> None:
        """End the chains of a customer that was erased: each row got a last version, as in a deletion."""
        self.erased.add(entity)
        self.next.pop(entity, None)
        self.records.pop(("entity", entity), None)
        for deal in self._deals.pop(entity, ()):
            self.records.pop(("deal", deal), None)
        for (interaction, owner), link in list(self.last_events.items()):
            if owner == entity and link.after:
                self.deleted(interaction, link.version + 1)
                self.last_events[interaction, owner] = link._replace(after=0, version=link.version + 1)
        for (row, owner), last in list(self.children.last.items()):
            if owner == entity and last.after:
                self.children.last[row, owner] = last._replace(after=0)

    def returned(self, interaction: str, version: int, record: Record) -> None:
        """Record an interaction that appears with a version above 1 and no earlier event of its entity."""
        self._returned.append((interaction, version, record))

    def unexplained(self) -> list[tuple[str, Record]]:
        """Reappeared interactions without a matching deletion (of the version before theirs)."""
        return [
            (interaction, record)
            for interaction, version, record in self._returned
            if hash((interaction, version - 1)) not in self._deleted
        ]


def row_key(kind: str, identity: str, entity: str) -> int:
    """Hash an interaction, signal or draft: a deleted id may reappear under another entity."""
    return hash((kind, identity, entity))


def next_image(value: Mapping[str, Any] | None) -> int:
    """Hash a next interaction; 0 for none."""
    if value is None:
        return 0
    return hash(
        (value["interactionId"], micros(value["at"]), value["name"], value.get("icon"), value.get("color"))
    )


def read_events(history: History, ledger: Ledger, report: Report) -> Events:
    """Check every event against the command log and its predecessor (A4, A5, A10)."""
    events, truncated = Events(), history.cut.is_truncated(EVENTS)
    begin = history.cut.begin.get(EVENTS, {})
    a4, a10 = report.checks["A4"], report.checks["A10"]
    started: set[int] = set()
    for record in history.records(EVENTS):
        headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
        if begin.get(record.partition, 0) > 0 and record.partition not in started:
            started.add(record.partition)
            events.oldest = max(events.oldest or 0, record.timestamp_ms * 1000)
        a4.checked += 1
        try:
            value = history.decode(record.value or b"")
            kind = headers["ce_type"]
            # None for an event of a signal or draft, of which a command may have several.
            bit = None if kind in child_events.TYPES else BITS[kind]
            scope = (value["tenantId"], value["organizationId"])
            command, entity = value["commandId"], value["entityId"]
            _once(record, headers, value, bit, events, ledger, report)
            _order(record, headers, value, bit, events, report)
            if bit is None:
                events.children.chain(record, kind, value, a4, truncated=truncated)
            elif bit & RECORD_BITS:
                _record_chain(record, kind, value, events, report)
            elif bit == NEXT_BIT:
                _next_chain(record, value, events, truncated, report)
            else:
                _chain(record, kind, value, events, truncated, report)
            events.note_removal(kind, value)
        except (KeyError, ValueError, TypeError) as error:
            a4.fail(f"an event cannot be read: {type(error).__name__} {error}", record)
            continue
        a10.checked += 1
        if scope != (headers.get("ce_tenantid"), headers.get("ce_organizationid")) or any(
            shape is not None and (shape["tenantId"], shape["organizationId"]) != scope
            for shape in (value.get("before"), value.get("after"))
        ):
            a10.fail("an event's headers, value and images name different scopes", record, commandId=command)
        if headers.get("ce_entityid") != entity or (record.key or b"").decode("utf-8", "replace") != entity:
            a10.fail(
                "an event's key or ce_entityid is not its entity", record, commandId=command, entityId=entity
            )
        if headers.get("ce_causationid") != command:
            a4.fail("an event's ce_causationid is not its command", record, commandId=command)
    for interaction, record in events.unexplained():
        if not truncated:
            a4.fail("an interaction appears with a version that no deletion left", record, id=interaction)
    return events


def _once(
    record: Record,
    headers: Mapping[str, str],
    value: Mapping[str, Any],
    bit: int | None,
    events: Events,
    ledger: Ledger,
    report: Report,
) -> None:
    a4, a5 = report.checks["A4"], report.checks["A5"]
    tenant, organization, command = value["tenantId"], value["organizationId"], value["commandId"]
    event_id, kind = headers["ce_id"], headers["ce_type"]
    due = (
        derived("event", tenant, organization, command, kind)
        if bit is not None
        else child_events.event_id(tenant, organization, command, kind, value["id"])
    )
    if event_id != due:
        a4.fail("an event's id does not follow from its command and type", record, commandId=command)
    key, number = hash(event_id), ledger.find(tenant, organization, command)
    if key in events.ids:
        a4.fail("an event is published twice", record, commandId=command, eventId=event_id)
    elif bit is None:
        events.children.add(key, number, value, child_events.TYPES[kind])
    events.ids.add(key)
    a5.checked += 1
    if number is None:
        if ledger.first_month is None or record.timestamp_ms * 1000 >= ledger.first_month:
            a5.fail("an event of a command that is not in the log", record, commandId=command)
        return
    if ledger.outcome_of(number) != "applied":
        a5.fail(f"an event of a command that was {ledger.outcome_of(number)}", record, commandId=command)
    ledger.events[number] |= bit or 0
    if "interaction_type" in kind:
        if value["entityId"] != organization:
            a4.fail("an event of a type is not of its organization", record, commandId=command)
        return
    if ledger.version(number) != value["entityVersion"]:
        a4.fail("an event's entityVersion is not the log's", record, commandId=command)
    if ledger.entity[number] != hash(value["entityId"]):
        a4.fail("an event is of another entity than its log row", record, commandId=command)


def _order(
    record: Record,
    headers: Mapping[str, str],
    value: Mapping[str, Any],
    bit: int | None,
    events: Events,
    report: Report,
) -> None:
    a4, entity = report.checks["A4"], value["entityId"]
    if bit is None or (bit & RECORD_BITS and not headers["ce_type"].startswith("customers.entity.")):
        if "ce_sequence" in headers:
            a4.fail("an event that nothing counts has a ce_sequence", record, entityId=entity)
        return
    sequence = int(headers["ce_sequence"])
    ordinal = sequence - value["entityVersion"] * 10
    if ordinal not in _ordinals(bit, value) or len(headers["ce_sequence"]) != 20:
        a4.fail("an event's ce_sequence does not follow from its entityVersion", record, entityId=entity)
    before = events.sequence.get(entity)
    if before is not None and sequence <= before:
        a4.fail(
            f"an event comes after {before}, which is not lower", record, entityId=entity, sequence=sequence
        )
    events.sequence[entity] = sequence


def _ordinals(bit: int, value: Mapping[str, Any]) -> tuple[int, ...]:
    """Places that an event may have among those of its command: one of a next step comes second."""
    if bit == NEXT_BIT:
        return (1, 2) if value["reason"] in ("completed", "undo") else (1,)
    if bit == BITS["customers.interaction.created"] and value["reason"] == "completed":
        return (1,)
    return (0, 1) if bit & _STEP_BITS and value["reason"] == "undo" else (0,)


def _next_chain(
    record: Record, value: Mapping[str, Any], events: Events, truncated: bool, report: Report
) -> None:
    a4, entity = report.checks["A4"], value["entityId"]
    previous, following = next_image(value.get("previous")), next_image(value.get("next"))
    where = {"entityId": entity, "commandId": value["commandId"]}
    if previous == following:
        a4.fail("a next_interaction.updated that changes nothing", record, **where)
    known = events.next.get(entity)
    if known is None:
        known = previous if truncated else 0
    if previous != known:
        a4.fail(
            "the previous of a next_interaction.updated is not the next of the one before", record, **where
        )
    if value.get("nextInteractionId") != (value["next"]["interactionId"] if value.get("next") else None):
        a4.fail("nextInteractionId is not the id of next", record, **where)
    events.next[entity] = following


def _record_chain(
    record: Record, event_type: str, value: Mapping[str, Any], events: Events, report: Report
) -> None:
    """Check the events of a customer, deal or type: each begins where the one before it ended."""
    a4, (_, kind, verb) = report.checks["A4"], event_type.split(".")
    if event_type == ERASED:
        events.erase(value["entityId"])
        return
    if kind == "deal":
        events.note_deal(value["id"], value["entityId"])
    before, after = value.get("before"), value["after"]
    where = {"id": value["id"], "entityId": value["entityId"], "commandId": value["commandId"]}
    if (before is None) != (verb == "created"):
        a4.fail("before does not fit the type of the event", record, **where)
    key, image = (kind, key_of_shape(kind, after)), image_of_shape(kind, after)
    known = events.records.get(key)
    # Commands of two partitions may add the same type at once.
    twice = kind == "interaction_type" and before is None and known == image
    if known is not None and not twice and (before is None or image_of_shape(kind, before) != known):
        a4.fail("before is not the after of the event before", record, **where)
    events.records[key] = image


def _chain(
    record: Record, kind: str, value: Mapping[str, Any], events: Events, truncated: bool, report: Report
) -> None:
    a4, interaction, version = report.checks["A4"], value["id"], value["version"]
    where = {"interactionId": interaction, "entityId": value["entityId"], "commandId": value["commandId"]}
    before, after = value.get("before"), value.get("after")
    link = events.last_events.get((interaction, value["entityId"]))
    name = kind.rpartition(".")[2]
    if (before is None) != (name == "created") or (after is None) != (name == "deleted"):
        a4.fail("before and after do not fit the type of the event", record, **where)
    image_before = hash(from_shape(before)) if before else 0
    image_after = hash(from_shape(after)) if after else 0
    if link is not None or not truncated:
        known = link.after if link else 0
        if image_before != known:
            last = f"{link.partition}:{link.offset}" if link else "none"
            a4.fail(f"before is not the after of the event before ({last})", record, **where)
        # A new interaction starts at version 1; a restored one continues after its deletion's version.
        due = (link.version if link else 0) + (0 if kind in _TIMER else 1)
        if name == "created" and version > due:
            events.returned(interaction, version, record)
        elif version != due:
            a4.fail(f"version {version} follows {link.version if link else 0}", record, **where)
    for shape, wanted in ((after, version), (before, None)):
        if shape is None:
            continue
        if wanted is not None and shape["version"] != wanted:
            a4.fail("the version of after is not the event's", record, **where)
        if shape["id"] != interaction or shape["entityId"] != value["entityId"]:
            a4.fail("before or after is another interaction", record, **where)
    if name == "deleted":
        events.deleted(interaction, version)
    events.last_events[interaction, value["entityId"]] = LastEvent(
        image_after, version, record.partition, record.offset
    )
