"""Isolation of what cannot be published for good: logged and skipped, so that all others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from domain.events import Event, events_of
from domain.journal import NOTHING, JournalEntry
from runtime.isolated import note_isolated
from runtime.isolation_limit import IsolationLimit
from schemas.avro_codec import Encode
from schemas.avro_writer import UnwritableError
from schemas.errors import InteractionsError
from schemas.outgoing_record import OutgoingRecord
from sinks.journal_rows import entry_of, entry_without_facts
from streams.relay.records import event_records

Made = TypeVar("Made")


class Isolation:
    """Reads and converts one entry or row at a time; its failure is its own.

    An entry is skipped with all its events; the audit reports them as missing (A9). Hazard: a failure on
    every entry is no entry's fault. The limit ends the process then, and nothing of the chunk is published.
    """

    def __init__(self) -> None:
        self._limit: Final = IsolationLimit()

    def entry(self, row: Sequence[Any]) -> JournalEntry:
        """Convert a row of the journal; one that cannot be read becomes an entry without events."""
        entry = self._tried(lambda: entry_of(row), "read", lambda: _of_row(row))
        return entry if entry is not None else entry_without_facts(row)

    def change(
        self, entry: JournalEntry, encode: Encode
    ) -> tuple[JournalEntry, tuple[Event, ...], list[OutgoingRecord]]:
        """Build the events of an entry and their records: none for one that cannot be converted."""

        def build() -> tuple[JournalEntry, tuple[Event, ...], list[OutgoingRecord]]:
            events = events_of(entry)
            return entry, events, list(event_records(entry, events, encode))

        built = self._tried(build, "encode", lambda: _of_entry(entry))
        return built if built is not None else (replace(entry, facts=NOTHING), (), [])

    def states(self, builders: Iterable[Callable[[], OutgoingRecord]]) -> list[OutgoingRecord]:
        """Build states, without those that cannot be built."""
        built = (self._tried(builder, "state", dict) for builder in builders)
        return [record for record in built if record is not None]

    def refused(self, record: OutgoingRecord, error: str) -> None:
        """Note a record that the client or the broker refuses for good.

        :raises Stop: this looks like a broken deployment.
        """
        self._limit.isolate(None)
        identity = dict(record.headers).get("ce_id")
        note_isolated("relay.isolated", stage="publish", topic=record.topic, event_id=identity, error=error)

    def published(self, records: int) -> None:
        """Note published records."""
        self._limit.passed(records)

    def _tried(
        self, make: Callable[[], Made], stage: str, reference: Callable[[], dict[str, Any]]
    ) -> Made | None:
        """Make something, at the second attempt if the first fails; ``None`` if both do."""
        for second in (False, True):
            try:
                return make()
            except Exception as error:
                if isinstance(error, InteractionsError) and not isinstance(error, UnwritableError):
                    raise
                if second:
                    self._limit.isolate(error)
                    # Hazard: the text of the error may contain customer text.
                    note_isolated("relay.isolated", stage=stage, error=type(error).__name__, **reference())
        return None


def _of_row(row: Sequence[Any]) -> dict[str, Any]:
    return _of_entry(entry_without_facts(row))


def _of_entry(entry: JournalEntry) -> dict[str, Any]:
    """Name the entry by its command."""
    return {
        "tenant_id": entry.tenant_id,
        "organization_id": entry.organization_id,
        "command_id": entry.command_id,
        "partition": entry.partition,
        "offset": entry.offset,
    }
