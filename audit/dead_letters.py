"""The dead letters topic, by the place of the record that each letter is about."""

from __future__ import annotations

from typing import Final, NamedTuple

from audit.findings import Report
from audit.history import History, Rec

DEAD_LETTERS: Final = "customers.interactions.dead-letters"
COMMANDS: Final = "customers.interactions.commands"
_REQUIRED: Final = ("dl_topic", "dl_partition", "dl_offset", "dl_reason", "dl_error_class", "dl_attempt")


class DeadLetter(NamedTuple):
    """One dead letter: where it lies, and a stand-in for its key, value and original headers.

    :param lacks: parts of the original that it says it does not hold.
    :param isolated: the pipeline failed on its record.
    """

    partition: int
    offset: int
    image: int
    lacks: frozenset[str]
    isolated: bool


#: Error classes of records that nothing is wrong with: the pipeline failed on them.
_ISOLATED: Final = (b"internal_error", b"schema_unavailable")
#: Parts of its record that a letter may lack, if it says so.
_PARTS: Final = frozenset({"headers", "key", "value"})


def image_of(record: Rec, lacks: frozenset[str] = frozenset()) -> int:
    """Stands for key, value and headers, ``dl_*`` headers left out.

    :param lacks: parts that do not count.
    """
    own = tuple(header for header in record.headers if not header[0].startswith("dl_"))
    return hash(
        (
            None if "key" in lacks else record.key,
            None if "value" in lacks else record.value,
            () if "headers" in lacks else own,
        )
    )


class DeadLetters:
    """All letters about the commands topic.

    :ivar due: places of the records that must have one.
    """

    def __init__(self) -> None:
        self.by_place: dict[tuple[int, int], DeadLetter] = {}
        self.due: set[tuple[int, int]] = set()

    def __len__(self) -> int:
        return len(self.by_place)

    def __contains__(self, place: tuple[int, int]) -> bool:
        return place in self.by_place


def read_dead_letters(history: History, report: Report) -> DeadLetters:
    """Load the letters about the commands topic; a second one for a record breaks A7."""
    a7, dead_letters = report.checks["A7"], DeadLetters()
    for record in history.records(DEAD_LETTERS):
        headers = dict(record.headers)
        missing = [name for name in _REQUIRED if not headers.get(name)]
        if missing:
            a7.checked += 1
            a7.fail(f"a dead letter lacks {', '.join(missing)}", record)
            continue
        if headers["dl_topic"] != history.cut.commands.encode():
            continue  # a connector's own
        a7.checked += 1
        try:
            place = int(headers["dl_partition"] or b""), int(headers["dl_offset"] or b"")
            int(headers["dl_attempt"] or b"")
        except ValueError:
            a7.fail("a dead letter's place or attempt is not a number", record)
            continue
        if place in dead_letters:
            a7.fail(
                "a record has two dead letters", record, commandPartition=place[0], commandOffset=place[1]
            )
            continue
        lacks = frozenset((headers.get("dl_left_out") or b"").decode(errors="replace").split(",")) & _PARTS
        image = image_of(record, lacks)
        dead_letters.by_place[place] = DeadLetter(
            record.partition, record.offset, image, lacks, headers["dl_error_class"] in _ISOLATED
        )
    return dead_letters
