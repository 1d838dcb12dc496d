"""Combine the pages of a poll, and infer changes for mirrors that the pages omit or skip."""

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
    """Accumulated pages of one poll.

    :ivar began: database time before the first page; a mirror created later may be absent legitimately.
    :ivar complete: the pages so far list every object at the provider.
    """

    began: datetime
    seen: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    complete: bool = False

    @classmethod
    def begin(cls, connection: Connection) -> Self:
        """Start a listing; call it before the first page is requested."""
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        return cls(began=row[0])

    def add(self, page: ChangePage) -> None:
        """Add a page; one that starts over makes earlier pages irrelevant for completeness."""
        if page.starts_full_listing:
            self.complete = True
            self.seen.clear()
        self.skipped.update(page.skipped)
        for change in page.changes:
            (self.gone if change.kind == "gone" else self.seen).add(change.external_id)
        self.seen.update(page.skipped)

    def inferred_changes(self, session: Session, connection: Connection) -> list[RemoteChange]:
        """Changes that no page reports: mirrors missing from a complete listing, and skipped mirrors.

        Like every reported change they are hints only: the object is read before anything is written.
        """
        identity = session.integration.id
        missing: set[str] = set()
        if self.complete:
            missing = mirrors_before(connection, identity, self.began) - self.seen - self.gone
        skipped = live_mirrors(connection, identity, self.skipped)
        return [
            *(_inferred(external_id, "gone", "missing") for external_id in sorted(missing)),
            *(
                _inferred(external_id, "changed", self.skipped[external_id])
                for external_id in sorted(skipped)
            ),
        ]


def _inferred(external_id: str, kind: str, reason: str) -> RemoteChange:
    return RemoteChange(
        event_id=f"{external_id}:{reason}",
        external_id=external_id,
        occurred_at=None,
        kind="gone" if kind == "gone" else "changed",
    )


def deleted_mirrors_in(session: Session, connection: Connection, changes: list[RemoteChange]) -> int:
    """Number of live mirrors that the changes report as deleted."""
    reported = {change.external_id for change in changes if change.kind == "gone"}
    return len(live_mirrors(connection, session.integration.id, reported))
