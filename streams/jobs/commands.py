"""Commands of a job: published, and waited for until the journal has the outcome of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from runtime.acknowledged_sender import AcknowledgedSender
from runtime.postgres import Connection
from runtime.settings import Settings
from schemas.cloudevent_headers import JSON, event_headers
from schemas.instants import format_instant
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import COMMANDS
from sinks.consumed_offsets import have_passed, watermarks
from sinks.due import server_time
from sinks.jobs.outcomes import Outcome, outcomes_of

_SOURCE: Final = "/customers/interactions/jobs"
_POLL_SECONDS: Final = 0.003
_LONGEST_POLL: Final = 0.1
#: A batch that arrives as one is applied in one transaction; one that trickles in is applied in several.
_LINGER_SECONDS: Final = 0.01
#: Between two checks that the job may go on while it waits.
_CHECK_SECONDS: Final = 1.0
#: The journal has no row with the id of a command on which the pipeline failed.
_ISOLATED: Final = Outcome("rejected", "internal_error")


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

        A command that was applied before, by this job or another, has the outcome it had then. One on which
        the pipeline failed is a dead letter, and its id stays free: it is rejected with ``internal_error``.

        :raises Retry: Kafka did not acknowledge them; repeating them is safe.
        """
        if not commands:
            return {}
        sent_at = format_instant(server_time(self._connection))
        sent = self._sender.send([self._record(command, actor, sent_at) for command in commands])
        ends = {partition: end for (_, partition), end in sent.items()}
        group, topic = self._settings.consumer_group, self._settings.topic(COMMANDS)
        began = checked_at = time.monotonic()
        pause = _POLL_SECONDS
        while not have_passed(self._connection, ends, group=group, topic=topic):
            time.sleep(pause)
            pause = min(pause * 1.2, _LONGEST_POLL)
            if time.monotonic() - checked_at > _CHECK_SECONDS:
                self._proceed()
                checked_at = time.monotonic()
        self.waited = time.monotonic() - began
        # The journal is written in the transactions that advance the watermarks.
        found = outcomes_of(
            self._connection, [(c.tenant_id, c.organization_id, c.command_id) for c in commands]
        )
        return {c.command_id: found.get(c.command_id, _ISOLATED) for c in commands}

    def applied(self) -> int:
        """Number of records that the applier has applied so far, those of other publishers included."""
        group, topic = self._settings.consumer_group, self._settings.topic(COMMANDS)
        return sum(watermarks(self._connection, group, topic).values())

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
