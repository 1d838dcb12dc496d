"""Rows that results report as saved: each exists, or a later command removed it (A14)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from audit.event_pass import Events, row_key
from audit.findings import Check
from audit.history import Record
from audit.publication_pass import Publications

_NOUNS: Final = {"interaction": "an interaction", "signal": "a signal", "draft": "a draft"}


class Saved(NamedTuple):
    """A row as of the last result that reports it as saved, and the position of that result.

    :param version: version that the row has at least; 0 if the result does not name it.
    :param since: version of the command: only its own removal, or a later one, explains that the row is gone.
    :param at: time of the result in µs.
    """

    version: int
    since: int
    kind: str
    entity: str
    partition: int
    offset: int
    at: int


class SavedRows:
    """Reported rows that have not been found in the tables."""

    def __init__(self) -> None:
        self._rows: dict[int, Saved] = {}

    def note(self, record: Record, value: Mapping[str, Any]) -> None:
        """Note the rows that a result reports as saved."""
        if value["outcome"] != "applied" or value.get("validateOnly"):
            return
        entity, at = value.get("entityId"), record.timestamp_ms * 1000
        for kind, identity, version, since in _reported(value):
            if identity is None or entity is None:
                continue
            key = row_key(kind, identity, entity)
            saved = Saved(version, since, kind, entity, record.partition, record.offset, at)
            known = self._rows.get(key)
            if known is None:
                self._rows[key] = saved
            elif since >= known.since:
                self._rows[key] = saved._replace(version=max(version, known.version))

    def found(self, kind: str, identity: str, entity: str, version: int, a14: Check) -> None:
        """Compare a row of a table with what the results say about it."""
        saved = self._rows.pop(row_key(kind, identity, entity), None)
        if saved is None:
            return
        a14.checked += 1
        if version < saved.version:
            what = f"a result reports version {saved.version} of a row that is at version {version}"
            a14.fail(what, **_place(saved), id=identity)

    def check_missing(
        self, events: Events, publications: Publications, erased: Collection[str], a14: Check
    ) -> None:
        """Check that a command removed each reported row that no table has.

        :param erased: customers that were erased with all their rows.
        """
        for key, saved in self._rows.items():
            a14.checked += 1
            if events.removed.get(key, -1) >= saved.since or saved.entity in erased:
                continue
            if saved.entity in publications.entities:
                a14.lag += 1  # its removal may not be published yet
            elif events.oldest is not None and saved.at <= events.oldest:
                a14.trusted += 1
            else:
                a14.fail(
                    f"a result reports {_NOUNS[saved.kind]} as saved that does not exist", **_place(saved)
                )


def _reported(value: Mapping[str, Any]) -> Iterator[tuple[str, str | None, int, int]]:
    """Kind, id, version and time (as the version of the command) of the rows that a result names."""
    kind, _, verb = (value.get("commandType") or "").removeprefix("customers.").partition(".")
    signal, draft = value.get("signalId"), value.get("draftId")
    version, entity_version = value.get("version") or 0, value.get("entityVersion") or 0
    if kind == "interaction" and not (signal or draft):
        yield "interaction", value.get("interactionId"), version, version
        yield "interaction", value.get("plannedInteractionId"), 1, 1
    # An undo may have removed what it names, and changed only one of the two.
    yield "signal", signal, version if kind == "signal" else 0, entity_version
    yield "draft", draft, version if kind == "draft" or verb == "attach_draft" else 0, entity_version


def _place(saved: Saved) -> dict[str, Any]:
    return {
        "kind": saved.kind,
        "entityId": saved.entity,
        "resultPartition": saved.partition,
        "resultOffset": saved.offset,
    }
