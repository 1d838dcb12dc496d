"""Compare what the journal says is to be published with what is published (A9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from audit.derived_ids import command_key, derived
from audit.event_pass import ERASED, EVENTS, NEXT, Events
from audit.findings import Report
from audit.history import History, Row
from audit.instants import micros
from audit.signals import child_events


class Publications:
    """State of the publications that other checks need.

    :ivar waiting: hashes of the ids of events that the relay has not yet published.
    :ivar entities: ids of entities whose state topics or labels may therefore lag, and the scopes of
        such dictionaries.
    :ivar commands: commands published by the relay: entity, and whether it has passed them.
    """

    def __init__(self) -> None:
        self.waiting: set[int] = set()
        self.entities: set[str] = set()
        self.commands: dict[str, tuple[str, bool]] = {}
        #: In µs: the first command that published the event of a customer, deal or type, as far as is known.
        self.first_record: int | None = None
        #: Keys of commands that an earlier version logged, without facts.
        self.without_facts: set[int] = set()


class _Reach:
    """Reach of the journal: it says what was published since the start of its oldest month.

    An older version published from a table of its own, so that rows of its time do not say it.
    """

    def __init__(self) -> None:
        self._oldest: datetime | None = None
        self._has_older_rows: bool = False

    def add(self, row: Row) -> None:
        if not row["has_facts"]:
            self._has_older_rows = True
        elif self._oldest is None or row["logged_at"] < self._oldest:
            self._oldest = row["logged_at"]

    def since(self) -> int | None:
        """In µs; ``None`` when there is no row."""
        if self._oldest is None or self._has_older_rows:
            return micros(self._oldest)
        return micros(self._oldest.replace(day=1, hour=0, minute=0, second=0, microsecond=0))


_RELABEL: Final = "relabel"


def read_publications(history: History, events: Events, report: Report) -> Publications:
    """Check A9: what the relay has passed is published; rows it has not reached are lag."""
    a9, publications, reached = report.checks["A9"], Publications(), history.cut.relay
    unexplained, reach = set(events.ids), _Reach()
    for row in history.rows("publications"):
        reach.add(row)
        scope, command = (row["tenant_id"], row["organization_id"]), row["command_id"].removeprefix(" ")
        if not row["has_facts"]:
            publications.without_facts.add(command_key(*scope, command))
        if not row["events"]:
            continue
        where = {"table": "journal", "commandId": row["command_id"], "position": row["position"]}
        passed = reached is not None and reached.passed(row["xid"], row["position"])
        due = list(_due_events(row))
        relabeled = row["relabeled"] or ()
        a9.checked += row["events"]
        # An entry without any counts 1 if only the state of its entity changes.
        if (len(due) + len(relabeled) or int(row["projection_changed"] or row["states_only"])) != row[
            "events"
        ]:
            a9.fail("a row does not count the records that follow from its facts", **where)
        if not passed:
            a9.lag += row["events"]
        states = history.cut.states
        if not passed or states is None or not states.passed(row["xid"], row["position"]):
            publications.entities.update((row["entity_id"], *relabeled))
            publications.entities.add(f"{row['tenant_id']}/{row['organization_id']}")
        if row["record_kind"] is not None:
            appended = micros(row["appended_at"]) or 0
            first = publications.first_record
            publications.first_record = appended if first is None else min(first, appended)
        for entity in relabeled:
            publications.commands[derived(_RELABEL, *scope, command, entity)] = (entity, passed)
        for kind, event_id in due:
            key = hash(event_id)
            if key in unexplained:
                unexplained.discard(key)
            elif not passed:
                publications.waiting.add(key)
            elif key in events.ids:
                a9.fail("two rows of the journal have the same event", id=event_id, **where)
            elif events.oldest is None or (micros(row["logged_at"]) or 0) > events.oldest:
                a9.fail(
                    "the relay has passed an event that is not published",
                    id=event_id,
                    type=kind,
                    entityId=row["entity_id"],
                    **where,
                )
    if a9.lag:
        report.behind("events", a9.lag)
    if unexplained:
        _report_unmatched(history, unexplained, reach.since(), report)
    return publications


def _due_events(row: Row) -> Iterator[tuple[str, str]]:
    """Types and ids of the events that follow from a row's facts."""
    origin = row["tenant_id"], row["organization_id"], row["command_id"].removeprefix(" ")
    kinds = []
    if row["event"] is not None:
        kinds.append(row["event"])
    if row["step_event"] is not None:
        kinds.append(row["step_event"])
    if row["next_changed"]:
        kinds.append(NEXT)
    if row["record_kind"] is not None:
        kinds.append(f"customers.{row['record_kind']}.{'created' if row['record_is_new'] else 'updated'}")
    if row["erases"]:
        kinds.append(ERASED)
    for kind in kinds:
        yield kind, derived("event", *origin, kind)
    for kind, identity in row["scrubbed"] or ():
        # Of an erased customer: the events that the row had, without what they showed.
        of_child = kind in child_events.TYPES
        yield (
            kind,
            child_events.event_id(*origin, kind, identity) if of_child else derived("event", *origin, kind),
        )
    for kind, identity in row["changed"] or ():
        yield kind, child_events.event_id(*origin, kind, identity)


def _report_unmatched(history: History, unexplained: set[int], since: int | None, report: Report) -> None:
    """Report events that the journal does not explain, as far back as it says."""
    older = 0
    for record in history.records(EVENTS):
        headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
        event_id = headers.get("ce_id", "")
        if hash(event_id) not in unexplained:
            continue
        try:
            appended = micros(headers.get("ce_time")) or 0
        except ValueError:
            appended = record.timestamp_ms * 1000
        if since is None or appended < since:
            older += 1
            continue
        report.checks["A9"].fail("an event is published that is not in the journal", record, eventId=event_id)
    if older:
        report.note(f"{older} events are older than the journal: their publication is not checked")
