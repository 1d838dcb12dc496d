"""Dead letters, indexed by the partition and offset of the original record."""

from __future__ import annotations

from typing import Final, NamedTuple

from audit.findings import Report
from audit.history import History, Record

DEAD_LETTERS: Final = "customers.interactions.dead-letters"
COMMANDS: Final = "customers.interactions.commands"
_REQUIRED: Final = ("dl_topic", "dl_partition", "dl_offset", "dl_reason", "dl_error_class", "dl_attempt")


class DeadLetter(NamedTuple):
    """One dead letter: its position, and a hash of its key, value and original headers.

    :param lacks: parts of the original that it declares as omitted.
    :param isolated: the record is valid, but processing it failed.
    """

    partition: int
    offset: int
    image: int
    lacks: frozenset[str]
    isolated: bool


#: Error classes of valid records that the pipeline failed to process.
_ISOLATED: Final = (b"internal_error", b"schema_unavailable")
#: Parts of the original record that a dead letter may omit, if it declares them.
_PARTS: Final = frozenset({"headers", "key", "value"})


def image_of(record: Record, lacks: frozenset[str] = frozenset()) -> int:
    """Hash key, value and headers, without the ``dl_*`` headers.

    :param lacks: parts to leave out.
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
    """All dead letters of the commands topic.

    :ivar due: positions of the records that must have one.
    """

    def __init__(self) -> None:
        self.by_place: dict[tuple[int, int], DeadLetter] = {}
        self.due: set[tuple[int, int]] = set()

    def __len__(self) -> int:
        return len(self.by_place)

    def __contains__(self, place: tuple[int, int]) -> bool:
        return place in self.by_place


def read_dead_letters(history: History, report: Report) -> DeadLetters:
    """Load the dead letters of the commands topic; a second one for the same record violates A7."""
    a7, dead_letters = report.checks["A7"], DeadLetters()
    for record in history.records(DEAD_LETTERS):
        headers = dict(record.headers)
        missing = [name for name in _REQUIRED if not headers.get(name)]
        if missing:
            a7.checked += 1
            a7.fail(f"a dead letter lacks {', '.join(missing)}", record)
            continue
        if headers["dl_topic"] != history.cut.commands.encode():
            continue  # written by a connector
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
