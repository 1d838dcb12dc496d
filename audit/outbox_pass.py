"""Compare the outbox with the published events (A9)."""

from __future__ import annotations

from datetime import datetime

from audit.event_pass import BITS, EVENTS, Events
from audit.findings import Report
from audit.history import History
from audit.instants import micros


class Outbox:
    """Outbox state that other checks need.

    :ivar waiting: hashes of the ids of events that the relay has not yet published.
    :ivar entities: ids of entities whose state topics or labels may therefore lag.
    :ivar commands: commands published through the outbox: entity, and whether the relay has passed it.
    """

    def __init__(self) -> None:
        self.waiting: set[int] = set()
        self.entities: set[str] = set()
        self.commands: dict[str, tuple[str, bool]] = {}


def read_outbox(history: History, events: Events, report: Report) -> Outbox:
    """Check A9: every row that the relay has passed is published; rows it has not reached are lag."""
    a9, outbox, reached = report.checks["A9"], Outbox(), history.cut.relay
    unexplained = set(events.ids)
    oldest: datetime | None = None
    for row in history.rows("outbox"):
        a9.checked += 1
        kind, position, entity = row["type"], row["position"], row["aggregateid"]
        if oldest is None or row["created_at"] < oldest:
            oldest = row["created_at"]
        passed = reached is not None and reached.passed(row["xid"], position)
        if not passed:
            a9.lag += 1
            outbox.entities.add(entity)
        if kind not in BITS:
            outbox.commands[row["id"]] = (entity, passed)
            continue
        key = hash(row["id"])
        if key in unexplained:
            unexplained.discard(key)
        elif not passed:
            outbox.waiting.add(key)
        elif key in events.ids:
            a9.fail("two rows of the outbox have the same event id", table="outbox", id=row["id"])
        elif events.oldest is None or (micros(row["created_at"]) or 0) > events.oldest:
            a9.fail(
                "the relay has passed an event that is not published",
                table="outbox",
                id=row["id"],
                position=position,
                type=kind,
                entityId=entity,
            )
    if a9.lag:
        report.behind("outbox", a9.lag)
    if unexplained:
        since = None
        if oldest is not None:
            since = micros(oldest.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
        _report_unmatched(history, unexplained, since, report)
    return outbox


def _report_unmatched(history: History, unexplained: set[int], since: int | None, report: Report) -> None:
    """Report events without an outbox row, as far back as the outbox is retained."""
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
        report.checks["A9"].fail("an event is published that is not in the outbox", record, eventId=event_id)
    if older:
        report.note(f"{older} events are older than the oldest outbox row: their publication is not checked")
