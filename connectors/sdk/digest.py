"""A daily digest: the planned interactions of an organization that are overdue or due today, by owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class DigestTime:
    """Hour of a digest in a time zone.

    An hour that a change of the clocks skips begins when the clocks change. Of an hour that occurs twice, the
    first one counts.

    :param hour: local hour, 0 to 23.
    """

    hour: int
    zone: ZoneInfo

    def day(self, now: datetime) -> date | None:
        """The local date whose digest is due: today from the hour on; ``None`` before it."""
        today = now.astimezone(self.zone).date()
        return today if now >= self._instant(today) else None

    def seconds_until_next(self, now: datetime) -> float:
        """Seconds from now until the next digest's hour begins; always positive."""
        today = now.astimezone(self.zone).date()
        instants = (self._instant(today + timedelta(days=days)) for days in (0, 1))
        return next((instant - now).total_seconds() for instant in instants if instant > now)

    def _instant(self, day: date) -> datetime:
        return datetime.combine(day, time(self.hour), self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestItem:
    """One planned interaction.

    :param overdue: planned for a day before the digest's; otherwise for that day.
    """

    interaction_id: str
    entity_id: str
    interaction_type: str
    title: str | None
    scheduled_at: datetime
    overdue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestOwner:
    """Work of one user.

    :param owner_user_id: ``None`` for interactions without an owner.
    :param overdue: number of overdue interactions; ``today``: of those due today.
    :param items: the earliest ones; ``overdue + today`` may be more.
    """

    owner_user_id: str | None
    overdue: int
    today: int
    items: Sequence[DigestItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The digest of one local date.

    :param overdue: of all owners, also of those who are not in ``owners``; likewise ``today``.
    :param owners: those with the most first.
    :param owner_count: number of all owners.
    """

    date: date
    zone: str
    overdue: int
    today: int
    owners: Sequence[DigestOwner]
    owner_count: int
