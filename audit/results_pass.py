"""Results topic: one outcome per command record, indexed by the record's partition and offset."""

from __future__ import annotations

from array import array
from typing import Any, Final, NamedTuple

import orjson

from audit.derived_ids import derived
from audit.findings import Report
from audit.history import History, Offsets, Record
from audit.instants import micros
from audit.ledger import OUTCOMES
from audit.saved_rows import SavedRows
from audit.signals.tags import is_child_tag

RESULTS: Final = "customers.interactions.results"
RESULT_TYPE: Final = "customers.interaction.result"
_NONE: Final = -1


class Recorded(NamedTuple):
    """Recorded outcome of one record.

    :param code: rejection code.
    :param version: version of the interaction.
    :param entity_version: version of the entity.
    :param command: hash of the command id.
    :param scope: hash of tenant, organization and entity id.
    :param next: hash of the next interaction's id and instant; 0 for none.
    :param signal, draft, planned: ids of the signal, the draft and the next step that it names.
    :param child_tags: hash of the cache tags of signals and drafts; ``has_other_tags``: there are more.
    """

    outcome: str
    code: str | None = None
    version: int | None = None
    entity_version: int | None = None
    command: int = 0
    scope: int = 0
    next: int = 0
    signal: str | None = None
    draft: str | None = None
    planned: str | None = None
    child_tags: int = 0
    has_other_tags: bool = False
    validate_only: bool = False


class Results:
    """Outcomes by partition and offset of the command's record.

    :ivar saved: rows that results report as saved.
    :ivar oldest: if retention has truncated the topic: time in µs before which outcomes may be missing.
    """

    def __init__(self, begin: Offsets, watermark: Offsets) -> None:
        self.begin = begin
        self._at = {
            partition: array("i", [_NONE]) * max(0, end - begin.get(partition, 0))
            for partition, end in watermark.items()
        }
        self._read = {partition: bytearray(len(slots)) for partition, slots in self._at.items()}
        self.rows: list[Recorded] = []
        self.saved = SavedRows()
        self.oldest: int | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, partition: int, offset: int) -> Recorded | None:
        """Outcome of a record, if one was published; marks the record as existing."""
        slots, at = self.slot(partition, offset)
        if slots is None:
            return None
        self._read[partition][at] = 1
        return None if slots[at] == _NONE else self.rows[slots[at]]

    def slot(self, partition: int, offset: int) -> tuple[array[int] | None, int]:
        slots, at = self._at.get(partition), offset - self.begin.get(partition, 0)
        return (slots, at) if slots is not None and 0 <= at < len(slots) else (None, at)

    def orphans(self) -> list[tuple[int, int]]:
        """Partition and offset of every outcome whose record was never found."""
        return [
            (partition, at + self.begin.get(partition, 0))
            for partition, slots in self._at.items()
            for at, number in enumerate(slots)
            if number != _NONE and not self._read[partition][at]
        ]


def read_results(history: History, watermark: Offsets, report: Report) -> Results:
    """Load the results up to the cut; a second result, or one without a command, violates A1."""
    cut = history.cut
    results = Results(cut.begin.get("customers.interactions.commands", {}), watermark)
    a1, a10 = report.checks["A1"], report.checks["A10"]
    started: set[int] = set()
    for record in history.records(RESULTS):
        if cut.begin.get(RESULTS, {}).get(record.partition, 0) > 0 and record.partition not in started:
            started.add(record.partition)
            results.oldest = max(results.oldest or 0, record.timestamp_ms * 1000)
        headers = dict(record.headers)
        try:
            value = history.decode(record.value or b"")
            partition, offset = (int(headers[f"ce_command{name}"] or b"") for name in ("partition", "offset"))
        except (KeyError, ValueError) as error:
            a1.fail(f"a result cannot be read: {error}", record)
            continue
        a10.checked += 1
        _check_headers(a10, record, headers, value)
        if (partition, offset) != (value["commandPartition"], value["commandOffset"]):
            a1.fail("a result names one place in its headers and another in its value", record)
        if (
            headers.get("ce_id")
            != derived("result", value["commandTopic"], str(partition), str(offset)).encode()
        ):
            a1.fail("a result's id does not follow from its command's place", record)
        results.saved.note(record, value)
        if offset < results.begin.get(partition, 0):
            continue  # its command is no longer retained
        slots, at = results.slot(partition, offset)
        if slots is None:
            a1.fail(
                "a result without a command below the watermark",
                record,
                commandPartition=partition,
                commandOffset=offset,
            )
            continue
        if slots[at] != _NONE:
            a1.fail("a command has a second result", record, commandPartition=partition, commandOffset=offset)
            continue
        slots[at] = len(results.rows)
        results.rows.append(recorded(value))
    return results


def recorded(value: dict[str, Any]) -> Recorded:
    """Extract the compared parts of a result's value."""
    problem, following = value.get("problem"), value.get("nextInteraction")
    tags = value.get("invalidates") or ()
    of_children = frozenset(tag for tag in tags if is_child_tag(tag))
    if isinstance(problem, str):
        problem = orjson.loads(problem)
    return Recorded(
        outcome=OUTCOMES[OUTCOMES.index(value["outcome"])],
        code=problem.get("code") if problem else None,
        version=value.get("version"),
        entity_version=value.get("entityVersion"),
        command=hash(value["commandId"]),
        scope=hash((value.get("tenantId"), value.get("organizationId"), value.get("entityId"))),
        next=0 if following is None else hash((following["interactionId"], micros(following["at"]))),
        signal=value.get("signalId"),
        draft=value.get("draftId"),
        planned=value.get("plannedInteractionId"),
        child_tags=hash(of_children),
        has_other_tags=len(of_children) < len(tags),
        validate_only=bool(value.get("validateOnly")),
    )


def _check_headers(a10: Any, record: Record, headers: dict[str, bytes | None], value: dict[str, Any]) -> None:
    for header, member in (("ce_tenantid", "tenantId"), ("ce_organizationid", "organizationId")):
        said = headers.get(header)
        if (said or b"").decode() != (value.get(member) or ""):
            a10.fail(f"a result's {header} is not its value's {member}", record, commandId=value["commandId"])
    if headers.get("ce_type") != RESULT_TYPE.encode():
        a10.fail("a record of the results topic is of another type", record)
