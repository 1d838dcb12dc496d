"""Dead letters: what each says, which of them are tries of the same original, and its replay."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cli.publish.input_lines import Outgoing
from cli.topics.topic_reader import TopicRecord
from schemas.errors import Reject

#: Where the first record of a family of replays lay; carried from replay to replay.
ORIGIN_HEADERS: Final = ("dl_original_topic", "dl_original_partition", "dl_original_offset")
REPLAY_COUNT: Final = "dl_replay_count"

Place = tuple[str, int, int]
_COUNT: Final = re.compile("[0-9]{1,9}")
_PLACE: Final = re.compile("[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter.

    :param id: ``partition:offset`` in the dead-letters topic.
    :param failed_at: topic, partition and offset of the record that failed.
    :param original: the same of the first record of this family: itself, unless it was a replay.
    :param replays: how often the original had been replayed when this one failed.
    :param left_out: the parts of the original that are not in it: ``headers``, ``key``, ``value``.
    """

    record: TopicRecord
    id: str
    failed_at: Place
    original: Place
    replays: int
    error_class: str
    reason: str
    left_out: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For machines; without the original's content."""
        return {
            "id": self.id,
            "failedAt": _place_json(self.failed_at),
            "original": _place_json(self.original),
            "replays": self.replays,
            "errorClass": self.error_class,
            "reason": self.reason,
            "timestamp": self.record.timestamp_ms,
            "bytes": len(self.record.value or b""),
        }


def read_dead_letter(record: TopicRecord) -> DeadLetter | None:
    """The letter in a record of the dead-letters topic; ``None`` when its headers are not those of one."""
    try:
        failed_at = _place(record, ("dl_topic", "dl_partition", "dl_offset"))
    except (TypeError, ValueError):
        return None
    try:
        original = _place(record, ORIGIN_HEADERS)
    except (TypeError, ValueError):
        original = failed_at
    return DeadLetter(
        record=record,
        id=f"{record.partition}:{record.offset}",
        failed_at=failed_at,
        original=original,
        replays=_count(record.header(REPLAY_COUNT)),
        error_class=record.header("dl_error_class") or "unknown",
        reason=record.header("dl_reason") or "no reason was noted",
        left_out=tuple(filter(None, (record.header("dl_left_out") or "").split(","))),
    )


def replays_of(original: Place, dead_letters: Iterable[DeadLetter]) -> int:
    """How often an original has been replayed, as far as its letters tell.

    Every try that fails leaves a letter with its number, so the largest number counts the tries.
    """
    return max(
        (dead_letter.replays for dead_letter in dead_letters if dead_letter.original == original), default=0
    )


def replay(
    dead_letter: DeadLetter, *, number: int, replays: int, max_tries: int, commands_topic: str
) -> Outgoing:
    """The original record once more: same key, value and headers, so the same event id.

    :param number: its place in this run, from 1.
    :param replays: how often the original was replayed before.
    :raises Reject: ``replay_limit`` reached, ``replay_target``: it did not come from the commands topic, or
        ``replay_incomplete``: it does not hold the whole original.
    """
    topics = {dead_letter.failed_at[0], dead_letter.original[0]}
    if topics != {commands_topic}:
        raise Reject(
            "replay_target",
            f"dead letter {dead_letter.id} came from {', '.join(sorted(topics))}; only records of "
            f"{commands_topic} can be replayed",
        )
    if dead_letter.left_out:
        topic, partition, offset = dead_letter.failed_at
        raise Reject(
            "replay_incomplete",
            f"dead letter {dead_letter.id} lacks the {' and the '.join(dead_letter.left_out)} of its record,"
            f" which could not be kept: read the record at {topic} {partition}:{offset}, repair it"
            " and publish it again",
        )
    if replays >= max_tries:
        raise Reject(
            "replay_limit",
            f"dead letter {dead_letter.id} was replayed {replays} times already (--max-tries {max_tries}): "
            "repair it at its source and publish it again",
        )
    headers: list[tuple[str, str | bytes | None]] = [
        (name, value) for name, value in dead_letter.record.headers if not name.startswith("dl_")
    ]
    headers += [(name, str(part)) for name, part in zip(ORIGIN_HEADERS, dead_letter.original, strict=True)]
    headers.append((REPLAY_COUNT, str(replays + 1)))
    command_id = dead_letter.record.header("ce_id")
    return Outgoing(number, dead_letter.record.key, dead_letter.record.value, headers, command_id)


def _place(record: TopicRecord, names: tuple[str, str, str]) -> Place:
    topic, partition, offset = (record.header(name) for name in names)
    if topic is None or partition is None or offset is None:
        raise ValueError("a header is missing")
    return topic, _whole(partition), _whole(offset)


def _place_json(place: Place) -> dict[str, Any]:
    return {"topic": place[0], "partition": place[1], "offset": place[2]}


def _count(text: str | None) -> int:
    """A replay count; anything but a small number counts as none, as for the applier."""
    return int(text) if text is not None and _COUNT.fullmatch(text) else 0


def _whole(text: str) -> int:
    if not _PLACE.fullmatch(text):
        raise ValueError("not a partition or an offset")
    return int(text)
