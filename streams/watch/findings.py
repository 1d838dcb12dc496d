"""Findings: stored first, then logged and published once; checked from time to time until they are healed."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Final

import structlog
from pydantic.alias_generators import to_camel

from runtime import crash_points
from runtime.outages import describe
from runtime.postgres import Connection
from schemas.avro_codec import Encode
from schemas.cloudevent_headers import AVRO, event_headers
from schemas.errors import Retry
from schemas.identity import derive_id
from schemas.instants import format_instant
from schemas.integrity_events import INTEGRITY_VIOLATED, IntegrityViolated
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import INTEGRITY_EVENTS
from sinks.erasure.erased import erased_among
from sinks.integrity.journal_window import missing_rows
from sinks.integrity.row_checks import ROW_CHECKS, broken_rows
from sinks.integrity.violations import (
    OpenViolation,
    Violation,
    held_violations,
    note_checked,
    note_published,
    open_violations,
)

_log = structlog.get_logger("watch")
#: Open violations per invariant that are stored; with more of them only the audit helps.
MOST_OPEN: Final = 1000
_RETRY_SECONDS: Final = 10.0
_ROW_CHECKS: Final = {check.subject: check for check in ROW_CHECKS}


class Findings:
    """Open violations of the database.

    :param send: publishes records and waits for Kafka; raises ``Retry`` while the broker is unavailable.
    """

    def __init__(
        self, connection: Connection, send: Callable[[Sequence[OutgoingRecord]], object], encode: Encode
    ) -> None:
        self._connection = connection
        self._send = send
        self._encode = encode
        self._logged: set[str] = set()
        self._retry_at = 0.0
        self.held = held_violations(connection)

    def counts(self) -> Counter[str]:
        """Number of open violations per invariant."""
        return Counter(it.violation.check for it in self.held)

    def add(self, found: Collection[Violation]) -> None:
        """Store new violations, and publish them."""
        known, counts, new = {it.violation.id for it in self.held}, self.counts(), []
        for violation in found:
            if violation.id not in known and counts[violation.check] < MOST_OPEN:
                known.add(violation.id)
                counts[violation.check] += 1
                new.append(violation)
        if new:
            open_violations(self._connection, new)
            self.held = held_violations(self._connection)
            crash_points.reach("watch-after-table-before-event")
            self.publish()

    def publish(self) -> None:
        """Log and publish the violations whose event is not acknowledged yet."""
        waiting = [it for it in self.held if not it.published]
        for it in waiting:
            self._log_once(it)
        if not waiting or time.monotonic() < self._retry_at:
            return
        try:
            self._send([_record(it, self._encode) for it in waiting])
        except Retry as error:
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            _log.warning("watch.retry", reason=describe(error))
            return
        crash_points.reach("watch-after-event-before-mark")
        for it in waiting:
            note_published(self._connection, it)
        self.held = held_violations(self._connection)

    def check(self, late: Collection[str]) -> None:
        """Check whether the open violations still hold, and mark the healed ones.

        :param late: ids of the signals that are being resolved past their deadline.
        """
        if not self.held:
            return
        holding = self._holding(late)
        healed = [it.violation for it in self.held if it.violation.id not in holding]
        note_checked(self._connection, holding, [violation.id for violation in healed])
        for violation in healed:
            _log.info("watch.healed", **_identity(violation))
        if healed:
            self.held = held_violations(self._connection)

    def _holding(self, late: Collection[str]) -> set[str]:
        groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        for it in self.held:
            violation = it.violation
            groups[violation.check, violation.subject][violation.subject_id] = violation.id
        holding: set[str] = set()
        for (check, subject), ids in groups.items():
            if check == "A14":
                still = missing_rows(self._connection, subject, ids)
            elif check == "A15":
                still = ids.keys() & set(late)
            else:
                found = broken_rows(self._connection, _ROW_CHECKS[subject], list(ids))
                still = {violation.subject_id for violation in found if violation.check == check}
            holding.update(ids[identity] for identity in still)
        erased = erased_among(self._connection, {it.violation.entity_id for it in self.held})
        # Rows of an erased customer are missing on purpose.
        return holding - {it.violation.id for it in self.held if it.violation.entity_id in erased}

    def _log_once(self, held: OpenViolation) -> None:
        identity = _event_id(held)
        if identity not in self._logged:
            self._logged.add(identity)
            _log.error("watch.violated", what=held.violation.what, **_identity(held.violation))


def _identity(violation: Violation) -> dict[str, str]:
    named = asdict(violation)
    del named["what"]  # logged once, when it is found
    return {"violation": violation.id, **named}


def _event_id(held: OpenViolation) -> str:
    """Id of the event: the same whenever this occurrence is published."""
    return derive_id("violated", held.violation.id, format_instant(held.first_seen))


def _record(held: OpenViolation, encode: Encode) -> OutgoingRecord:
    violation, first_seen = held.violation, format_instant(held.first_seen)
    headers = event_headers(
        AVRO,
        id=_event_id(held),
        source="/customers/interactions/watch",
        type=INTEGRITY_VIOLATED,
        time=first_seen,
        subject=violation.subject_id,
        tenantid=violation.tenant_id,
        organizationid=violation.organization_id,
        entityid=violation.entity_id,
    )
    columns = {"id": violation.id, "first_seen": first_seen, **asdict(violation)}
    event = IntegrityViolated.model_validate({to_camel(name): value for name, value in columns.items()})
    value = encode(INTEGRITY_VIOLATED, event.model_dump(by_alias=True))
    return OutgoingRecord(INTEGRITY_EVENTS, violation.entity_id, value, headers)
