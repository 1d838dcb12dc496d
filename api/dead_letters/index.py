"""Bounded index of dead letters by failure: places, reasons and decisions, never content."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal

from runtime.dead_letters import (
    DeadLetter,
    Decision,
    LetterDecision,
    Location,
    read_dead_letter,
    read_decision,
)
from schemas.incoming_record import IncomingRecord

#: Most dead letters, and most decisions, that are kept; the oldest are dropped first.
MOST_LETTERS: Final = 20_000
LetterState = Literal["open", "replayed", "discarded", "archived"]
STATES: Final[tuple[LetterState, ...]] = ("open", "replayed", "discarded", "archived")


@dataclass(frozen=True, slots=True)
class IndexedLetter:
    """One dead letter without its content.

    :param id: ``partition:offset`` in the dead-letters topic.
    :param group: id of the failure: error class, code and pointer.
    :param scope: tenant and organization in the record's headers; ``None`` if they are not readable.
    """

    id: str
    group: str
    scope: tuple[str, str] | None
    error_class: str
    code: str | None
    pointer: str | None
    reason: str
    failed_at: Location
    original: Location
    replays: int
    command_id: str | None
    command_type: str | None
    at_ms: int
    size: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Visibility:
    """Dead letters that a caller may see: those of its organization, and with ``unscoped`` those of none."""

    tenant_id: str
    organization_id: str
    unscoped: bool

    def admits(self, letter: IndexedLetter) -> bool:
        """Report whether the caller may see a dead letter."""
        if letter.scope is None:
            return self.unscoped
        return letter.scope == (self.tenant_id, self.organization_id)


@dataclass(frozen=True, slots=True)
class StatedLetter:
    """A dead letter and its state; ``decision`` is the last one made about it."""

    letter: IndexedLetter
    state: LetterState
    decision: LetterDecision | None


class DeadLetterIndex:
    """Dead letters and decisions as read from the topic. Callable from any thread."""

    def __init__(self, most: int = MOST_LETTERS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._letters: OrderedDict[str, IndexedLetter] = OrderedDict()
        self._decisions: OrderedDict[str, LetterDecision] = OrderedDict()

    def add(self, records: Iterable[IncomingRecord]) -> None:
        """Index records of the topic; others than dead letters and decisions are skipped."""
        with self._lock:
            for record in records:
                decision = read_decision(record)
                if decision is not None:
                    self._keep(decision)
                    continue
                letter = read_dead_letter(record)
                if letter is not None:
                    self._letters[letter.id] = _indexed(letter)
                    if len(self._letters) > self._most:
                        self._letters.popitem(last=False)

    def decide(self, decision: LetterDecision) -> None:
        """Apply a decision that was just published, before it is read back."""
        with self._lock:
            self._keep(decision)

    def find(self, visible: Visibility, ids: Iterable[str]) -> list[StatedLetter]:
        """The visible ones among the named dead letters."""
        with self._lock:
            found = [self._letters[one] for one in dict.fromkeys(ids) if one in self._letters]
            return [self._stated(letter) for letter in found if visible.admits(letter)]

    def matching(
        self, visible: Visibility, state: LetterState, group: str | None = None
    ) -> list[StatedLetter]:
        """The visible dead letters in a state, newest first.

        :param group: only of this failure.
        """
        with self._lock:
            found = [
                stated
                for stated in self._visible(visible)
                if stated.state == state and group in (None, stated.letter.group)
            ]
        return sorted(found, key=lambda stated: stated.letter.at_ms, reverse=True)

    def counts(self, visible: Visibility) -> dict[LetterState, int]:
        """Number of visible dead letters in each state."""
        with self._lock:
            found = Counter(stated.state for stated in self._visible(visible))
        return {state: found[state] for state in STATES}

    def replays_of(self, original: Location) -> int:
        """Number of failed replays of an original."""
        with self._lock:
            return max(
                (letter.replays for letter in self._letters.values() if letter.original == original),
                default=0,
            )

    def __len__(self) -> int:
        return len(self._letters)

    def _visible(self, visible: Visibility) -> Iterator[StatedLetter]:
        return (self._stated(letter) for letter in self._letters.values() if visible.admits(letter))

    def _stated(self, letter: IndexedLetter) -> StatedLetter:
        decision = self._decisions.get(letter.id)
        if decision is None:
            return StatedLetter(letter, "open", None)
        return StatedLetter(letter, _STATE_AFTER[decision.decision], decision)

    def _keep(self, decision: LetterDecision) -> None:
        # Decisions on one dead letter have one key, so the topic has them in order.
        self._decisions[decision.letter] = decision
        self._decisions.move_to_end(decision.letter)
        if len(self._decisions) > self._most:
            self._decisions.popitem(last=False)


_STATE_AFTER: Final[dict[Decision, LetterState]] = {
    "replayed": "replayed",
    "discarded": "discarded",
    "archived": "archived",
    "reopened": "open",
}


def _indexed(letter: DeadLetter) -> IndexedLetter:
    record = letter.record
    tenant, organization = record.header("ce_tenantid"), record.header("ce_organizationid")
    failure = "\x00".join((letter.error_class, letter.code or "", letter.pointer or ""))
    return IndexedLetter(
        id=letter.id,
        group=blake2b(failure.encode(errors="replace"), digest_size=8).hexdigest(),
        scope=(tenant.lower(), organization.lower()) if tenant and organization else None,
        error_class=letter.error_class,
        code=letter.code,
        pointer=letter.pointer,
        reason=letter.reason,
        failed_at=letter.failed_at,
        original=letter.original,
        replays=letter.replays,
        command_id=_short(record.header("ce_id")),
        command_type=_short(record.header("ce_type")),
        at_ms=record.timestamp_ms,
        size=record.size,
        left_out=letter.left_out,
    )


def _short(text: str | None) -> str | None:
    return None if text is None else text[:200]
