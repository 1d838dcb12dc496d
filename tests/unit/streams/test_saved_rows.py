"""Rows that journal entries leave: the last position decides, and removals count."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.journal import Erased, Facts, JournalEntry, OldFacts, RowChange
from domain.model import Draft, Interaction, Signal, SignalOutcome
from streams.watch.saved_rows import SavedRows

_NOW = datetime(2026, 11, 29, tzinfo=UTC)
_SCOPE: dict[str, Any] = {"tenant_id": "t", "organization_id": "o"}
_AT: dict[str, Any] = {"created_at": _NOW, "updated_at": _NOW, "version": 1}


def _entry(
    facts: Facts | OldFacts, interaction: str | None = "call", version: int | None = 3
) -> JournalEntry:
    return JournalEntry(
        "t", "o", "c", "customers.interaction.update", "ada", interaction, 0, 0, b"", "applied", version,
        None, None, None, None, None, _NOW, facts,
    )  # fmt: skip


def _interaction() -> Interaction:
    of: dict[str, Any] = {"status_as_of": _NOW, "scheduled_as_of": _NOW, "occurred_as_of": _NOW}
    return Interaction(
        id="call", **_SCOPE, entity_id="ada", interaction_type="call", status="planned", **of, **_AT
    )


def _signal() -> Signal:
    return Signal(
        id="s", **_SCOPE, interaction_id="call", entity_id="ada", kind="promise", title="", status="open",
        detected_at=_NOW, **_AT,
    )  # fmt: skip


def _draft() -> Draft:
    return Draft(
        id="d", **_SCOPE, signal_id="s", interaction_id="call", entity_id="ada", person_id="ada",
        channel="email", body="", language="en", status="draft", writer="template", **_AT,
    )  # fmt: skip


def _outcome() -> SignalOutcome:
    return SignalOutcome(
        id="x", **_SCOPE, signal_id="s", interaction_id="call", entity_id="ada", outcome="skipped",
        command_id="c", created_at=_NOW,
    )  # fmt: skip


def _saved(*entries: tuple[int, JournalEntry]) -> dict[str, list[str]]:
    rows = SavedRows()
    rows.add(entries)
    return {kind: found for kind in rows.mentions if (found := rows.saved(kind))}


_CUSTOMER = {"customer": ["ada"]}


@pytest.mark.parametrize(
    ("facts", "saved"),
    [
        (Facts(after=_interaction()), {"interaction": ["call"]}),
        (Facts(before=_interaction(), after=_interaction()), {"interaction": ["call"]}),
        (Facts(before=_interaction()), {}),
        # A fix of signals alone reports its interaction, which it did not change.
        (Facts(changes=(RowChange(after=_signal()),)), {"interaction": ["call"], "signal": ["s"]}),
        # Rows that a result names, although the facts show no change of them.
        (Facts(signal_id="s", draft_id="d"), {"signal": ["s"], "draft": ["d"]}),
        (
            Facts(signal_id="s", draft_id="d", changes=(RowChange(before=_draft()),)),
            {"signal": ["s"]},
        ),
        (
            Facts(
                before=_interaction(),
                changes=(
                    RowChange(before=_outcome()),
                    RowChange(before=_draft()),
                    RowChange(before=_signal()),
                ),
            ),
            {},
        ),
    ],
)
def test_what_one_entry_leaves(facts: Facts, saved: dict[str, list[str]]) -> None:
    assert _saved((1, _entry(facts))) == {**_CUSTOMER, **saved}


def test_the_greatest_position_decides_in_any_order() -> None:
    left, removed = (4, _entry(Facts(after=_interaction()))), (5, _entry(Facts(before=_interaction())))
    restored = (6, _entry(Facts(after=_interaction())))
    assert _saved(left, removed) == _saved(removed, left) == _CUSTOMER
    assert _saved(restored, left, removed) == {**_CUSTOMER, "interaction": ["call"]}


def test_an_entry_that_is_not_about_a_customer_names_no_row() -> None:
    assert _saved((1, _entry(Facts(), interaction=None, version=None))) == {}


def test_a_row_from_before_the_journal_says_nothing() -> None:
    old: dict[str, Any] = {"result": {}, "undo": None}
    assert _saved((1, _entry(OldFacts(**old)))) == {}


def test_the_rows_of_an_erased_customer_are_gone() -> None:
    erased = Erased(mirrors="leave", interactions=("call",), signals=("s",), drafts=("d",))
    change = RowChange(event="customers.signal.recorded", after=_signal())
    drafted = RowChange(event="customers.draft.created", after=_draft())
    made = [
        (1, _entry(Facts(event="customers.interaction.created", after=_interaction(), version=1))),
        (2, _entry(Facts(changes=(change, drafted), signal_id="s", draft_id="d", version=2))),
    ]
    assert _saved(*made) == {"customer": ["ada"], "interaction": ["call"], "signal": ["s"], "draft": ["d"]}
    assert _saved(*made, (3, _entry(Facts(erased=erased), interaction=None))) == {}


def test_what_is_left_of_an_entry_of_an_erased_customer_says_nothing() -> None:
    scrubbed = Facts(version=2, scrubbed=(("customers.interaction.deleted", None),))
    assert _saved((1, _entry(scrubbed))) == {}
