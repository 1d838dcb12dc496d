"""Pages of a poll put together: mirrors that a complete listing leaves out, and mirrors that were skipped."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from connectors.sdk.remote import ChangePage, RemoteChange
from connectors.store.mappings import live_mirrors, mirrors_before
from connectors.sync.session import Session
from runtime.postgres import Connection


@dataclass(slots=True)
class Listing:
    """The pages of one poll.

    :ivar began: the database's time before the first page; younger mirrors may be missing rightly.
    :ivar complete: the pages so far name every object that the provider has.
    """

    began: datetime
    seen: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    left_alone: dict[str, str] = field(default_factory=dict)
    complete: bool = False

    @classmethod
    def begin(cls, connection: Connection) -> Self:
        """Begin before the first page is requested."""
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        return cls(began=row[0])

    def take(self, page: ChangePage) -> None:
        """Add a page; one that starts over makes the pages before it irrelevant for completeness."""
        if page.starts_full_listing:
            self.complete = True
            self.seen.clear()
        self.left_alone.update(page.skipped)
        for change in page.changes:
            (self.gone if change.kind == "gone" else self.seen).add(change.external_id)
        self.seen.update(page.skipped)

    def unlisted(self, session: Session, connection: Connection) -> list[RemoteChange]:
        """Changes that no page names: mirrors missing from a complete listing, and skipped mirrors.

        They are signs like any other: the object is read before anything is done.
        """
        identity = session.integration.id
        missing: set[str] = set()
        if self.complete:
            missing = mirrors_before(connection, identity, self.began) - self.seen - self.gone
        skipped = live_mirrors(connection, identity, self.left_alone)
        return [
            *(_sign(external_id, "gone", "missing") for external_id in sorted(missing)),
            *(_sign(external_id, "changed", self.left_alone[external_id]) for external_id in sorted(skipped)),
        ]


def _sign(external_id: str, kind: str, why: str) -> RemoteChange:
    return RemoteChange(
        event_id=f"{external_id}:{why}",
        external_id=external_id,
        occurred_at=None,
        kind="gone" if kind == "gone" else "changed",
    )


def deleted_mirrors_in(session: Session, connection: Connection, changes: list[RemoteChange]) -> int:
    """Count the live mirrors that the changes report as deleted."""
    reported = {change.external_id for change in changes if change.kind == "gone"}
    return len(live_mirrors(connection, session.integration.id, reported))
