"""Commands of a job: published, and waited for until the journal has the outcome of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from runtime.acknowledged_sender import AcknowledgedSender
from runtime.kafka import make_admin
from runtime.postgres import Connection
from runtime.settings import Settings
from schemas.cloudevent_headers import JSON, event_headers
from schemas.instants import format_instant
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import COMMANDS
from sinks.consumed_offsets import partition_progress
from sinks.due import server_time
from sinks.jobs.outcomes import Outcome, consumed, outcomes_of
from streams.partition_ends import partition_ends, partition_numbers

_SOURCE: Final = "/customers/interactions/jobs"
_POLL_SECONDS: Final = 0.003
_LONGEST_POLL: Final = 0.1
#: A batch that arrives as one is applied in one transaction; one that trickles in is applied in several.
_LINGER_SECONDS: Final = 0.01
#: Between two looks at the journal while commands of others move the offsets, or transactions leave gaps.
_LOOK_SECONDS: Final = 0.5
#: Between two checks that the job may go on while it waits.
_CHECK_SECONDS: Final = 1.0


#: Outcome of a command that has no row of its own in the journal although all records are applied.
_UNREAD: Final = Outcome("rejected", "internal_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCommand:
    """One command of a job.

    :param command_id: the same whenever the job is repeated.
    :param expected_version: optimistic lock.
    """

    type: str
    command_id: str
    tenant_id: str
    organization_id: str
    entity_id: str
    data: dict[str, Any]
    expected_version: int | None = None


class CommandSender:
    """Publishes commands and waits for their outcomes.

    :param job_id: correlation id of the commands.
    :param proceed: called while it waits; raises if the job may not go on.
    :ivar waited: seconds from the acknowledgement of the last commands until all of them were applied.
    """

    def __init__(
        self, settings: Settings, connection: Connection, job_id: str, proceed: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._sender = AcknowledgedSender(settings, linger=_LINGER_SECONDS)
        self._connection = connection
        self._job_id = job_id
        self._proceed = proceed
        self.waited = 0.0

    def run(self, commands: Sequence[JobCommand], *, actor: str | None = None) -> dict[str, Outcome]:
        """Publish the commands, and return the outcome of each by its id once all are applied.

        A command that was applied before, by this job or another, has the outcome it had then. One that the
        applier refused unread or isolated is rejected as ``internal_error``.

        :raises Retry: Kafka did not acknowledge them; repeating them is safe.
        """
        if not commands:
            return {}
        applied = self.applied()
        sent_at = format_instant(server_time(self._connection))
        self._sender.send([self._record(command, actor, sent_at) for command in commands])
        waiting = {c.command_id: (c.tenant_id, c.organization_id, c.command_id) for c in commands}
        found: dict[str, Outcome] = {}
        began = checked_at = looked_at = time.monotonic()
        pause, due = _POLL_SECONDS, applied + len(waiting)
        ends: dict[int, int] = {}
        while True:
            now = time.monotonic()
            # The offsets are cheap to read; the journal only once they say that all may be applied.
            if self.applied() >= due or now - looked_at > _LOOK_SECONDS:
                new = outcomes_of(self._connection, waiting.values())
                found |= new
                for command_id in new:
                    waiting.pop(command_id, None)
                if not waiting:
                    self.waited = time.monotonic() - began
                    return found
                looked_at, due = now, due + len(waiting)
                pause = _POLL_SECONDS if new else pause
            time.sleep(pause)
            pause = min(pause * 1.2, _LONGEST_POLL)
            if now - checked_at > _CHECK_SECONDS:
                self._proceed()
                checked_at = now
                ends = ends or self._log_ends()
                if self._all_applied(ends):
                    # Hazard: a record that is refused unread, or isolated, is logged under its place.
                    found |= outcomes_of(self._connection, waiting.values())
                    return dict.fromkeys(waiting, _UNREAD) | found

    def applied(self) -> int:
        """Number of records that the applier has applied so far, those of other publishers included."""
        return consumed(self._connection, self._settings.consumer_group, self._settings.topic(COMMANDS))

    def _log_ends(self) -> dict[int, int]:
        """Read the ends of the commands topic; everything that is acknowledged is before them."""
        admin, topic = make_admin(self._settings), self._settings.topic(COMMANDS)
        return {n: e.high for n, e in partition_ends(admin, topic, partition_numbers(admin, topic)).items()}

    def _all_applied(self, ends: Mapping[int, int]) -> bool:
        group, topic = self._settings.consumer_group, self._settings.topic(COMMANDS)
        progress = partition_progress(self._connection, group, topic)
        applied = {number: it.next_offset for number, it in progress.items()}
        return all(applied.get(number, 0) >= end for number, end in ends.items())

    def _record(self, command: JobCommand, actor: str | None, sent_at: str) -> OutgoingRecord:
        expected = command.expected_version
        headers = event_headers(
            JSON,
            id=command.command_id,
            source=_SOURCE,
            type=command.type,
            time=sent_at,
            tenantid=command.tenant_id,
            organizationid=command.organization_id,
            entityid=command.entity_id,
            correlationid=self._job_id,
            **({"actorid": actor} if actor is not None else {}),
            **({"expectedversion": str(expected)} if expected is not None else {}),
        )
        return OutgoingRecord(COMMANDS, command.entity_id, orjson.dumps(command.data), headers)
