"""The command log in memory: one index per row, one array per column."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from audit.derived_ids import command_key
from audit.findings import Report
from audit.history import Offsets, Row
from audit.instants import micros

OUTCOMES: Final = ("applied", "rejected", "no_op", "duplicate")
APPLIED: Final = 0


class Ledger:
    """Rows of the journal below the watermark, by command and by position.

    :ivar first_month: start of the oldest retained month, in µs; older commands may have no row.
    :ivar home_partitions: partition of each entity's first applied command.
    :ivar multi_partition: entities with applied commands from several partitions.
    """

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.dead: dict[str, int] = {}
        self.partition = array("i")
        self.offset = array("q")
        self.outcome = bytearray()
        self.entity = array("q")
        self.entity_version = array("q")
        #: Bits of the event types seen for the command (``audit.event_pass.BITS``).
        self.events = array("I")
        #: Content and meaning hashes of the command's first record, once it has been read.
        self.content = array("q")
        self.meaning = array("q")
        self.first_month: int | None = None
        self.home_partitions: dict[int, int] = {}
        self.multi_partition: set[int] = set()

    def __len__(self) -> int:
        return len(self.outcome)

    def find(self, tenant: str, organization: str, command: str) -> int | None:
        """Index of a command's row, if it has one."""
        return self.numbers.get(command_key(tenant, organization, command))

    def place(self, number: int) -> tuple[int, int]:
        """Partition and offset of a row's record."""
        return self.partition[number], self.offset[number]

    def version(self, number: int) -> int | None:
        """Entity version after the command; ``None`` if it changed no entity."""
        value = self.entity_version[number]
        return None if value < 0 else value

    def outcome_of(self, number: int) -> str:
        """Logged outcome of a row."""
        return OUTCOMES[self.outcome[number]]

    def add(self, row: Row) -> int:
        """Add one row; returns its index."""
        number = len(self.outcome)
        self.partition.append(row["partition"])
        self.offset.append(row["offset"])
        self.outcome.append(OUTCOMES.index(row["outcome"]))
        entity = hash(row["entity_id"])
        self.entity.append(entity)
        version = row["entity_version"]
        self.entity_version.append(-1 if version is None else version)
        self.events.append(0)
        self.content.append(0)
        self.meaning.append(0)
        if row["outcome"] == "applied":
            home = self.home_partitions.setdefault(entity, row["partition"])
            if home != row["partition"]:
                self.multi_partition.add(entity)
        return number


def read_ledger(rows: Iterable[Row], watermark: Offsets, report: Report) -> Ledger:
    """Load the log; a row above the watermark violates A6, a command logged twice violates A1."""
    ledger, a1, a6 = Ledger(), report.checks["A1"], report.checks["A6"]
    oldest: datetime | None = None
    for row in rows:
        command, partition, offset = row["command_id"], row["partition"], row["offset"]
        where = {"table": "journal", "commandId": command, "partition": partition, "offset": offset}
        a6.checked += 1
        if offset >= watermark.get(partition, 0):
            a6.fail("a command at or above the watermark is logged", **where)
        number = ledger.add(row)
        if command.startswith("dead:"):
            known = ledger.dead.setdefault(command, number)
        else:
            # A command id that looks like the synthetic id of a position is logged with a leading space.
            own = command.removeprefix(" ")
            key = command_key(row["tenant_id"], row["organization_id"], own)
            known = ledger.numbers.setdefault(key, number)
        if known != number:
            a1.fail("a command is logged twice", **where)
        logged = row.get("logged_at")
        if logged is not None and (oldest is None or logged < oldest):
            oldest = logged
    if oldest is not None:
        ledger.first_month = micros(oldest.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    return ledger
