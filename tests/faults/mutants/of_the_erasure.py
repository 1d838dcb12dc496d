# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of the erasure of a customer: something remains, or brings it back."""

from __future__ import annotations

from typing import Any

from tests.faults.mutants.catalogue import mutant

_RULES = "test:tests/unit/domain/test_erasure.py::"
_AUDIT = "test:tests/unit/audit/test_erasures.py::"
_JOURNAL = f"{_RULES}test_scrubbed_facts_answer_a_duplicate_without_texts"


@mutant("commands on an erased customer are carried out", f"{_RULES}test_every_later_command_is_rejected")
def erased_customer_comes_back() -> None:
    from domain import decide

    decide.check_not_erased = lambda *_: None


@mutant("an erased customer keeps its texts in the journal", _JOURNAL)
def journal_keeps_texts() -> None:
    from domain import erasure

    def kept(entry: Any) -> Any:
        return entry.facts

    erasure.scrubbed = kept


@mutant(
    "a row that went with its customer counts as lost",
    "test:tests/unit/streams/test_saved_rows.py::test_the_rows_of_an_erased_customer_are_gone",
)
def erased_rows_lost() -> None:
    from streams.watch import saved_rows

    saved_rows._gone_with = lambda *_: iter(())


@mutant(
    "the state topics keep what was erased",
    f"{_AUDIT}test_an_erasure_is_clean_before_and_after_its_job",
)
def erased_states_stay() -> None:
    from streams.relay.states import PendingStates

    PendingStates._add_erasure = lambda *_: None


@mutant("the audit does not look for payloads in the journal", f"{_AUDIT}test_what_remains_is_found")
def payloads_unseen() -> None:
    from audit import erasure_pass

    def left(*_: Any, **__: Any) -> None:
        return

    erasure_pass._left = left
