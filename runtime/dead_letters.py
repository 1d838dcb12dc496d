"""Dead letter records: parse them, group replays of the same original, build replays and decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from schemas.errors import Reject
from schemas.incoming_record import IncomingRecord
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import COMMANDS, DEAD_LETTERS

#: Location of the original record, copied from replay to replay.
ORIGIN_HEADERS: Final = ("dl_original_topic", "dl_original_partition", "dl_original_offset")
REPLAY_COUNT: Final = "dl_replay_count"
#: Header of a record that is not a dead letter but a decision on one.
DECISION: Final = "dl_decision"
Decision = Literal["replayed", "discarded", "archived", "reopened"]
_DECISIONS: Final[tuple[Decision, ...]] = get_args(Decision)
_DECIDED: Final = "decided"

#: Topic, partition and offset.
Location = tuple[str, int, int]
_SMALL_NUMBER: Final = re.compile("[0-9]{1,9}")
_NUMBER: Final = re.compile("[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter.

    :param id: ``partition:offset`` in the dead-letters topic.
    :param failed_at: location of the record that failed.
    :param original: location of the original record: ``failed_at``, unless that record was a replay.
    :param replays: number of replays of the original when this record failed.
    :param left_out: parts of the record that could not be kept: ``headers``, ``key``, ``value``.
    :param code: code of the first field error; ``pointer`` is its field or attribute.
    """

    record: IncomingRecord
    id: str
    failed_at: Location
    original: Location
    replays: int
    error_class: str
    reason: str
    left_out: tuple[str, ...] = ()
    code: str | None = None
    pointer: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON form, without the content of the record."""
        return {
            "id": self.id,
            "failedAt": _location_json(self.failed_at),
            "original": _location_json(self.original),
            "replays": self.replays,
            "errorClass": self.error_class,
            "reason": self.reason,
            "timestamp": self.record.timestamp_ms,
            "bytes": len(self.record.value or b""),
        }


def read_dead_letter(record: IncomingRecord) -> DeadLetter | None:
    """Parse a record of the dead-letters topic; ``None`` when its headers are not those of a dead letter."""
    if _is_decision(record):
        return None
    try:
        failed_at = _location(record, ("dl_topic", "dl_partition", "dl_offset"))
    except (TypeError, ValueError):
        return None
    try:
        original = _location(record, ORIGIN_HEADERS)
    except (TypeError, ValueError):
        original = failed_at
    return DeadLetter(
        record=record,
        id=f"{record.partition}:{record.offset}",
        failed_at=failed_at,
        original=original,
        replays=_count(record.header(REPLAY_COUNT)),
        error_class=record.header("dl_error_class") or "unknown",
        reason=record.header("dl_reason") or "no reason recorded",
        left_out=(*filter(None, (record.header("dl_left_out") or "").split(",")), *record.left_out),
        code=record.header("dl_error_code"),
        pointer=record.header("dl_error_pointer"),
    )


def replays_of(original: Location, dead_letters: Iterable[DeadLetter]) -> int:
    """Number of failed replays of an original.

    Every failed replay leaves a dead letter with its count, so the largest count is the number.
    """
    return max(
        (dead_letter.replays for dead_letter in dead_letters if dead_letter.original == original), default=0
    )


def replay_record(
    dead_letter: DeadLetter, *, replays: int, max_tries: int, commands_topic: str
) -> OutgoingRecord:
    """Build the replay of a dead letter: same key, value and headers, and so the same event id.

    :param replays: number of earlier replays of the original.
    :raises Reject: ``replay_limit``: no replays left; ``replay_target``: not from the commands topic;
        ``replay_incomplete``: the dead letter lacks a part of the record.
    """
    topics = {dead_letter.failed_at[0], dead_letter.original[0]}
    if topics != {commands_topic}:
        raise Reject(
            "replay_target",
            f"Dead letter {dead_letter.id} came from {', '.join(sorted(topics))}; only records of "
            f"{commands_topic} can be replayed.",
        )
    if dead_letter.left_out:
        topic, partition, offset = dead_letter.failed_at
        raise Reject(
            "replay_incomplete",
            f"Dead letter {dead_letter.id} lacks the {' and the '.join(dead_letter.left_out)} of its record,"
            f" which could not be kept. Read the record at {topic} {partition}:{offset}, repair it"
            " and publish it again.",
        )
    if replays >= max_tries:
        raise Reject(
            "replay_limit",
            f"Dead letter {dead_letter.id} was replayed {replays} times already (--max-tries {max_tries}). "
            "Repair the command at its source and publish it again.",
        )
    headers: list[tuple[str, str | bytes | None]] = [
        (name, value) for name, value in dead_letter.record.headers if not name.startswith("dl_")
    ]
    headers += [(name, str(part)) for name, part in zip(ORIGIN_HEADERS, dead_letter.original, strict=True)]
    headers.append((REPLAY_COUNT, str(replays + 1)))
    return OutgoingRecord(COMMANDS, dead_letter.record.key, dead_letter.record.value, headers)


@dataclass(frozen=True, slots=True)
class LetterDecision:
    """A person's decision on one dead letter, stored as a record of the same topic.

    :param letter: id of the dead letter.
    :param at_ms: append time of the broker, milliseconds since 1970.
    """

    letter: str
    decision: Decision
    by: str
    at_ms: int


def decision_record(letter: str, decision: Decision, *, by: str) -> OutgoingRecord:
    """Build the record of a decision. The newest record for a dead letter counts.

    It has the headers of a dead letter, so that every reader of the topic can place it.
    """
    partition, offset = letter.split(":")
    return OutgoingRecord(
        DEAD_LETTERS,
        letter,
        None,
        [
            ("dl_topic", DEAD_LETTERS),
            ("dl_partition", partition),
            ("dl_offset", offset),
            ("dl_reason", "a person's decision on the dead letter at this place"),
            ("dl_error_class", _DECIDED),
            ("dl_attempt", "1"),
            (DECISION, decision),
            ("dl_decided_by", by),
        ],
    )


def read_decision(record: IncomingRecord) -> LetterDecision | None:
    """Parse a decision; ``None`` for any other record of the dead-letters topic."""
    decision = next((known for known in _DECISIONS if known == record.header(DECISION)), None)
    if decision is None or not _is_decision(record):
        return None
    try:
        _, partition, offset = _location(record, ("dl_topic", "dl_partition", "dl_offset"))
    except (TypeError, ValueError):
        return None
    by = record.header("dl_decided_by") or "unknown"
    return LetterDecision(f"{partition}:{offset}", decision, by, record.timestamp_ms)


def _is_decision(record: IncomingRecord) -> bool:
    # Hazard: the original of a dead letter can carry any header; only the last of a name is the applier's.
    return (record.header("dl_topic"), record.header("dl_error_class")) == (DEAD_LETTERS, _DECIDED)


def _location(record: IncomingRecord, names: tuple[str, str, str]) -> Location:
    topic, partition, offset = (record.header(name) for name in names)
    if topic is None or partition is None or offset is None:
        raise ValueError("a header is missing")
    return topic, _whole(partition), _whole(offset)


def _location_json(location: Location) -> dict[str, Any]:
    return {"topic": location[0], "partition": location[1], "offset": location[2]}


def _count(text: str | None) -> int:
    """Parse a replay count. Anything but a small number is 0, as in the applier."""
    return int(text) if text is not None and _SMALL_NUMBER.fullmatch(text) else 0


def _whole(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a partition or an offset")
    return int(text)
