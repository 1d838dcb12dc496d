"""Answer one resolution: read its facts, write the draft, send the outcome as a command.

No transaction is open while a writer writes. The command changes something only while its resolution is
running (``domain.signals``), so a repeated or late answer is harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast
from uuid import uuid4

import orjson
import structlog

from runtime import crash_points
from runtime.outages import AskedToStopError
from schemas.cloudevent_headers import JSON, event_headers
from schemas.outgoing_record import OutgoingRecord
from schemas.signal_payloads import SIGNAL_ATTACH_DRAFT, SIGNAL_FAIL_DRAFT, answer_correlation
from schemas.topics import COMMANDS
from sinks.draft_facts import DraftFacts
from streams.drafts.writers.interface import Channel, DraftRequest, Language, Writer, WritingFailedError

_log = structlog.get_logger("drafts")
_SOURCE: Final = "/customers/interactions/drafts"
#: ``(signal id, (tenant, organization), resolution)`` → facts; ``None`` when the resolution is over.
ReadFacts = Callable[[str, tuple[str, str], int], DraftFacts | None]


def answer(
    event: dict[str, Any], writer: Writer, read: ReadFacts, send: Callable[[OutgoingRecord], None]
) -> None:
    """Answer the resolution that a ``customers.signal.resolving`` event announces.

    :raises AskedToStopError: the writer is closed; the event must be read once more.
    """
    signal = event["after"]
    scope, resolution = (event["tenantId"], event["organizationId"]), signal["resolution"]
    facts = read(event["id"], scope, resolution)
    if facts is None:
        return  # it was answered, or ended by the timers
    crash_points.reach("drafts-before-writing")
    correlation = answer_correlation(*scope, event["commandId"])
    command = _command(facts, *_outcome(event["id"], writer, facts, resolution), correlation)
    crash_points.reach("drafts-before-sending")
    send(command)
    crash_points.reach("drafts-after-sending")


def _outcome(
    signal_id: str, writer: Writer, facts: DraftFacts, resolution: int
) -> tuple[str, dict[str, Any]]:
    """Write the draft; return the type and data of the command that answers."""
    data: dict[str, Any] = {"id": signal_id, "resolution": resolution}
    if facts.person_name is None:
        detail = "The signal's person is unknown: add it with entity.upsert, or change personId."
        return SIGNAL_FAIL_DRAFT, {**data, "code": "person_not_found", "detail": detail}
    try:
        draft = writer.write(_request(signal_id, facts, facts.person_name))
    except WritingFailedError as failure:
        if failure.code == "writer_closed":
            # The event is read once more by the next process.
            raise AskedToStopError("asked to stop while a draft was written") from failure
        _log.warning("drafts.failed", signal_id=signal_id, code=failure.code)
        return SIGNAL_FAIL_DRAFT, {**data, "code": failure.code, "detail": failure.detail}
    except Exception as error:  # noqa: BLE001 - a defective writer must not stop other signals
        # Hazard: the text of the error may contain customer text.
        _log.error("drafts.writer_defective", signal_id=signal_id, error=type(error).__name__)
        detail = f"The writer {writer.name} has a defect; the log of the drafts role names it."
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
