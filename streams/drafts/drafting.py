"""Write the drafts of signals that are being resolved, and publish the outcome as a command.

No transaction is open while a writer writes. The command changes something only while its resolution is
running (``domain.signals``), so a repeated or late answer is harmless.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Final, cast
from uuid import uuid4

import orjson
import structlog

from runtime import crash_points
from runtime.acknowledged_sender import AcknowledgedSender
from runtime.outages import AskedToStopError, describe, through_outages
from runtime.registry_fetch import make_fetch
from runtime.retrying_connection import RetryingConnection
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.cloudevent_headers import JSON, event_headers
from schemas.outgoing_record import OutgoingRecord
from schemas.signal_events import SIGNAL_RESOLVING
from schemas.signal_payloads import SIGNAL_ATTACH_DRAFT, SIGNAL_FAIL_DRAFT, answer_correlation
from schemas.topics import COMMANDS
from sinks.draft_facts import DraftFacts, read_draft_facts
from streams.drafts.writers.interface import Channel, DraftRequest, Language, Writer, WritingFailedError
from streams.heartbeat import Heartbeat

_log = structlog.get_logger("drafts")
_SOURCE: Final = "/customers/interactions/drafts"
_WAIT_SECONDS: Final = 1.0
_STAGE: Final = "writing"


class Drafting:
    """Handle events of signals; several drafts are written at once.

    :param stop: ends every wait.
    """

    def __init__(
        self, settings: Settings, writer: Writer, heartbeat: Heartbeat, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._heartbeat = heartbeat
        self._stop = stop
        self._decode = AvroDecoder(make_fetch(settings), text_instants=True).decode
        self._sender = AcknowledgedSender(settings)
        self._pool = ThreadPoolExecutor(settings.drafts_workers, thread_name_prefix="draft")
        self._local = threading.local()
        self._connections: list[RetryingConnection] = []

    def take(self, messages: Sequence[Any]) -> None:
        """Write a draft for each ``customers.signal.resolving``; return once the outcomes are published.

        :raises AskedToStopError: the role is stopping; the events are read once more.
        """
        events = [event for message in messages if (event := self._resolving(message)) is not None]
        running = {self._pool.submit(self._draft, event) for event in events}
        while running:
            done, running = wait(running, timeout=_WAIT_SECONDS)
            self._heartbeat.beat(_STAGE)
            for ended in done:
                ended.result()
        self._heartbeat.rest(_STAGE)

    def run(self) -> None:
        """Wait until asked to stop, then stop the writer and close the connections."""
        while not self._stop.wait(_WAIT_SECONDS):
            self._heartbeat.beat("drafts")
        self._writer.close()
        self._pool.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def _resolving(self, message: Any) -> dict[str, Any] | None:
        headers = dict(message.headers or ())
        if headers.get("ce_type") != SIGNAL_RESOLVING.encode() or message.value is None:
            return None
        return through_outages(lambda: self._decode(message.value)[1], _note_outage, self._stop.wait)

    def _draft(self, event: dict[str, Any]) -> None:
        signal = event["after"]
        scope, resolution = (event["tenantId"], event["organizationId"]), signal["resolution"]
        facts = self._connection().run(
            lambda connection: read_draft_facts(connection, event["id"], scope, resolution)
        )
        if facts is None:
            return  # it was answered, or ended by the timers
        crash_points.reach("drafts-before-writing")
        correlation = answer_correlation(*scope, event["commandId"])
        command = _command(facts, *self._outcome(event["id"], facts, resolution), correlation)
        crash_points.reach("drafts-before-sending")
        through_outages(lambda: self._sender.send([command]), _note_outage, self._stop.wait)
        crash_points.reach("drafts-after-sending")

    def _outcome(self, signal_id: str, facts: DraftFacts, resolution: int) -> tuple[str, dict[str, Any]]:
        """Write the draft; return the type and data of the command that answers."""
        data: dict[str, Any] = {"id": signal_id, "resolution": resolution}
        if facts.person_name is None:
            detail = "The signal's person is unknown: add it with entity.upsert, or change personId."
            return SIGNAL_FAIL_DRAFT, {**data, "code": "person_not_found", "detail": detail}
        try:
            draft = self._writer.write(_request(signal_id, facts, facts.person_name))
        except WritingFailedError as failure:
            if failure.code == "writer_closed":
                # The event is read once more by the next process.
                raise AskedToStopError("asked to stop while a draft was written") from failure
            _log.warning("drafts.failed", signal_id=signal_id, code=failure.code)
            return SIGNAL_FAIL_DRAFT, {**data, "code": failure.code, "detail": failure.detail}
        except Exception as error:  # noqa: BLE001 - a defective writer must not stop other signals
            # Hazard: the text of the error may contain customer text.
            _log.error("drafts.writer_defective", signal_id=signal_id, error=type(error).__name__)
            detail = f"The writer {self._writer.name} has a defect; the log of the drafts role names it."
            return SIGNAL_FAIL_DRAFT, {**data, "code": "writer_defective", "detail": detail}
        written = {
            "subject": draft.subject,
            "body": draft.body,
            "writer": draft.writer,
            "templateId": draft.template_id,
            "model": draft.model,
            "promptHash": draft.prompt_hash,
        }
        return SIGNAL_ATTACH_DRAFT, {**data, **written}

    def _connection(self) -> RetryingConnection:
        found: RetryingConnection | None = getattr(self._local, "connection", None)
        if found is None:
            name = threading.current_thread().name
            found = self._local.connection = RetryingConnection(self._settings, "drafts", name, self._stop)
            self._connections.append(found)
        return found


def _request(signal_id: str, facts: DraftFacts, person_name: str) -> DraftRequest:
    return DraftRequest(
        tenant_id=facts.tenant_id,
        organization_id=facts.organization_id,
        signal_id=signal_id,
        signal_kind=facts.signal_kind,
        signal_title=facts.signal_title,
        signal_body=facts.signal_body,
        channel=cast("Channel", facts.channel),
        language=cast("Language", facts.language),
        instruction=facts.instruction,
        person_name=person_name,
        interaction_type=facts.interaction_type,
        interaction_title=facts.interaction_title,
        interaction_at=facts.occurred_at,
        next_at=facts.next_at,
        sender_name=None,
    )


def _command(facts: DraftFacts, kind: str, data: dict[str, Any], correlation: str) -> OutgoingRecord:
    headers = event_headers(
        JSON,
        # A second answer to the same resolution is a command of its own, which changes nothing.
        id=str(uuid4()),
        source=_SOURCE,
        type=kind,
        tenantid=facts.tenant_id,
        organizationid=facts.organization_id,
        entityid=facts.entity_id,
        correlationid=correlation,
    )
    return OutgoingRecord(COMMANDS, facts.entity_id, orjson.dumps(data), headers)


def _note_outage(error: Exception, _seconds: float) -> None:
    _log.warning("drafts.retry", reason=describe(error))
