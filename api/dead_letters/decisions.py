"""Replay, discard, archive and reopen dead letters, each recorded on the topic after it is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from api.dead_letters.index import DeadLetterIndex, StatedLetter
from api.dead_letters.reader import DeadLetterReader
from api.pending_replies import Sender
from runtime.dead_letters import (
    Decision,
    LetterDecision,
    decision_record,
    read_dead_letter,
    replay_record,
)
from runtime.settings import Settings
from runtime.topic_tail import TopicTail
from schemas.errors import InteractionsError, Reject, Retry
from schemas.incoming_record import IncomingRecord
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import COMMANDS, DEAD_LETTERS

_log = structlog.get_logger("gateway")
#: Most replays of one original.
MOST_REPLAYS: Final = 3


@dataclass(slots=True)
class DecidedLetters:
    """Outcome of one request: ids that were decided, and reasons of those that were not."""

    done: list[str] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)

    def add_failure(self, letter: str, error: InteractionsError) -> None:
        """Note why one dead letter was not decided."""
        code = error.code if isinstance(error, Reject) else "not_sent"
        self.failed.append({"id": letter, "code": code, "detail": str(error)})


class DeadLetterDecisions:
    """Publishes replays and decisions.

    A decision that was published and not acknowledged may still be stored; repeating it is safe. A replayed
    command keeps its id, so one that was applied in the meantime returns ``duplicate``.
    """

    def __init__(self, settings: Settings, sender: Sender, reader: DeadLetterReader) -> None:
        self._settings = settings
        self._sender = sender
        self._reader = reader

    async def decide(self, letters: Sequence[StatedLetter], decision: Decision, *, by: str) -> DecidedLetters:
        """Execute one decision on each of the dead letters."""
        outcome = DecidedLetters()
        index = self._reader.index
        chosen = list(letters)
        if decision == "replayed":
            chosen = await self._replay(index, letters, outcome)
        records = [decision_record(stated.letter.id, decision, by=by) for stated in chosen]
        for stated, error in zip(chosen, await self._send(records), strict=True):
            if error is not None and decision != "replayed":
                outcome.add_failure(stated.letter.id, error)
                continue
            # A replay was sent even if its note was not stored: another replay of it would do no harm.
            now = int(time.time() * 1000)
            index.decide(LetterDecision(stated.letter.id, decision, by, now))
            outcome.done.append(stated.letter.id)
        _log.info(
            "gateway.dead_letters_decided",
            decision=decision,
            by=by,
            done=len(outcome.done),
            failed=len(outcome.failed),
        )
        return outcome

    async def _replay(
        self, index: DeadLetterIndex, letters: Sequence[StatedLetter], outcome: DecidedLetters
    ) -> list[StatedLetter]:
        """Send the originals to the commands topic; return the dead letters whose original was stored."""
        read = await asyncio.to_thread(_read_records, self._settings, [one.letter.id for one in letters])
        ready: list[tuple[StatedLetter, OutgoingRecord]] = []
        sent: set[tuple[str, int, int]] = set()
        for stated, record in zip(letters, read, strict=True):
            try:
                if stated.letter.original in sent:
                    raise Reject("replay_twice", "Another replay of the same original was just sent.")
                ready.append((stated, self._replay_of(index, stated, record)))
                sent.add(stated.letter.original)
            except InteractionsError as refusal:
                outcome.add_failure(stated.letter.id, refusal)
        errors = await self._send([record for _, record in ready])
        stored = []
        for (stated, _), error in zip(ready, errors, strict=True):
            if error is None:
                stored.append(stated)
            else:
                outcome.add_failure(stated.letter.id, error)
        return stored

    def _replay_of(
        self, index: DeadLetterIndex, stated: StatedLetter, record: IncomingRecord | None
    ) -> OutgoingRecord:
        letter = read_dead_letter(record) if record is not None else None
        if letter is None or letter.id != stated.letter.id:
            detail = "The topic no longer holds this dead letter, so it cannot be replayed."
            raise Reject("letter_gone", detail, status=409)
        return replay_record(
            letter,
            replays=index.replays_of(letter.original),
            max_tries=MOST_REPLAYS,
            commands_topic=self._settings.topic(COMMANDS),
        )

    async def _send(self, records: Sequence[OutgoingRecord]) -> list[InteractionsError | None]:
        """Publish the records; the error of each, ``None`` once all in-sync replicas have it."""
        return list(await asyncio.gather(*(self._send_one(record) for record in records)))

    async def _send_one(self, record: OutgoingRecord) -> InteractionsError | None:
        loop = asyncio.get_running_loop()
        delivered: asyncio.Future[Exception | None] = loop.create_future()

        def resolve(failure: Exception | None) -> None:
            if not delivered.done():  # the request may have been canceled
                delivered.set_result(failure)

        def on_delivery(failure: Exception | None) -> None:
            loop.call_soon_threadsafe(resolve, failure)

        try:
            self._sender.send(record, on_delivery)
        except InteractionsError as error:
            return error
        failure = await delivered
        if failure is None or isinstance(failure, InteractionsError):
            return failure
        return Retry(f"Kafka did not acknowledge the record ({type(failure).__name__}). Retry.")


def _read_records(settings: Settings, ids: Sequence[str]) -> list[IncomingRecord | None]:
    """The records at these places of the dead-letters topic."""
    found = []
    with TopicTail(settings, DEAD_LETTERS) as tail:
        for one in ids:
            partition, offset = one.split(":")
            found.append(tail.first(int(partition), int(offset)))
    return found
