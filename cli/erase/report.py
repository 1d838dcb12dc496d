"""Report of an erasure: what was erased, what remains and until when, as lines for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cli.erase.places import Place
from schemas.instants import format_instant

_NOUNS: Final = {"table": "rows", "topic": "records", "log": "lines"}


@dataclass(slots=True)
class ErasureReport:
    """Outcome of an erasure and of the search after it. It holds counts and ids, no texts.

    :param erased_before: the customer had been erased before, so its texts are not known.
    :param counts: what the job removed.
    :param mirrors_pending: objects at providers that are still to be deleted.
    :param terms: number of texts that were searched; ``left_out``: of those that are too short.
    """

    entity_id: str
    job_id: str
    job_state: str
    mirrors: str
    erased_before: bool = False
    counts: dict[str, Any] = field(default_factory=dict)
    mirrors_pending: int = 0
    terms: int = 0
    left_out: int = 0
    places: list[Place] = field(default_factory=list)

    @property
    def remaining(self) -> list[Place]:
        """Places that still have texts and must not."""
        return [place for place in self.places if place.violates]

    @property
    def ok(self) -> bool:
        """Report whether nothing remains that should not."""
        return self.job_state == "completed" and not self.mirrors_pending and not self.remaining

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "ok": self.ok,
            "entityId": self.entity_id,
            "erasedBefore": self.erased_before,
            "job": {"id": self.job_id, "state": self.job_state},
            "removed": self.counts,
            "mirrors": {"policy": self.mirrors, "pending": self.mirrors_pending},
            "search": {
                "texts": self.terms,
                "leftOut": self.left_out,
                "places": [_place_json(place) for place in self.places],
            },
        }


def report_lines(report: ErasureReport) -> Iterator[str]:
    """Lines with console markup."""
    yield f"[bold]Customer {report.entity_id}[/bold]"
    state = "green" if report.job_state == "completed" else "red"
    yield f"  job {report.job_id}: [{state}]{report.job_state}[/{state}]"
    for name, count in report.counts.items():
        yield f"  {name}: {count}"
    if report.mirrors_pending:
        yield (
            f"  [red]{report.mirrors_pending} objects at providers are still to be deleted[/red]; see"
            " interactions connectors list"
        )
    if report.erased_before:
        yield "  It had been erased before, so its texts are unknown and were not searched for."
        return
    searched = sum(place.searched for place in report.places)
    yield f"Searched {searched:,} rows, records and lines for {report.terms:,} texts."
    if report.left_out:
        yield f"  {report.left_out} texts of less than four characters were left out."
    for place in report.places:
        if line := _line(place):
            yield line
    if report.ok:
        yield "[green]Nothing remains that should not.[/green]"


def _line(place: Place) -> str | None:
    if not place.remaining:
        return None
    what = f"{place.kind} {place.name}: {place.remaining:,} {_NOUNS[place.kind]}"
    if place.until is not None:
        return f"  {what} until {_day(place.until)}, when retention has removed them"
    if place.superseded:
        settings = ", ".join(f"{name}={value}" for name, value in place.settings.items())
        return f"  {what} that tombstones replace; compaction removes them ({settings})"
    return f"  [red]{what} still have a text of the customer[/red]"


def _place_json(place: Place) -> dict[str, Any]:
    return {
        "kind": place.kind,
        "name": place.name,
        "searched": place.searched,
        "remaining": place.remaining,
        "ofOthers": place.others,
        "until": format_instant(place.until) if place.until is not None else None,
        "superseded": place.superseded,
        "settings": dict(place.settings),
        "violates": place.violates,
    }


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
