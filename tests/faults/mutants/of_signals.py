# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of signals and drafts: each breaks "every resolved signal results in a visible action"."""

from __future__ import annotations

from typing import Any

from tests.faults.mutants.catalogue import mutant

_RULES = "test:tests/unit/domain/test_signals.py"
_HISTORIES = "test:tests/simulation/signals/test_signal_histories.py"


@mutant(
    "deleting an interaction leaves its drafts and outcomes",
    f"{_RULES}::test_deleting_an_interaction_leaves_no_residue_and_undo_restores_all_of_it",
)
def cascade_dropped() -> None:
    from domain import transition
    from domain.model import Signal

    real = transition.removal_of_signals

    def only_signals(*arguments: Any) -> Any:
        return tuple(change for change in real(*arguments) if isinstance(change.row, Signal))

    transition.removal_of_signals = only_signals


@mutant(
    "a draft is stored without the resolution of its signal",
    f"{_RULES}::test_a_resolved_signal_has_its_draft_from_the_same_command",
)
def draft_without_resolution() -> None:
    from domain import signals
    from domain.model import Signal

    real = signals.change_rows

    def change_rows(command: Any, entity: Any, changes: Any, **more: Any) -> Any:
        if any(change.event == signals.DRAFT_CREATED for change in changes):
            changes = tuple(change for change in changes if not isinstance(change.row, Signal))
        return real(command, entity, changes, **more)

    signals.change_rows = change_rows


@mutant(
    "a signal is resolved without its draft",
    f"{_RULES}::test_a_resolved_signal_has_its_draft_from_the_same_command",
)
def resolved_without_draft() -> None:
    from domain import signals

    real = signals.change_rows

    def change_rows(command: Any, entity: Any, changes: Any, **more: Any) -> Any:
        kept = tuple(change for change in changes if change.event != signals.DRAFT_CREATED)
        return real(command, entity, kept, **more)

    signals.change_rows = change_rows


@mutant(
    "a failure of the writer is swallowed",
    f"{_HISTORIES}::test_random_histories_of_signals_agree_with_the_model",
)
def failure_swallowed() -> None:
    from schemas.signal_payloads import SIGNAL_FAIL_DRAFT
    from streams.drafts import answer

    real = answer.answer

    def swallow(event: Any, writer: Any, read: Any, send: Any) -> None:
        def send_drafts(command: Any) -> None:
            if dict(command.headers)["ce_type"] != SIGNAL_FAIL_DRAFT:
                send(command)

        real(event, writer, read, send_drafts)

    answer.answer = swallow


@mutant(
    "a draft belongs to the one who sent it, not to the one who resolved the signal",
    f"{_RULES}::test_a_resolved_signal_has_its_draft_from_the_same_command",
)
def draft_of_its_sender() -> None:
    from domain import signals

    real = signals.Draft

    def make(**fields: Any) -> Any:
        return real(**{**fields, "user_id": None})

    signals.Draft = make


@mutant(
    "a fix changes the interaction in one decision and leaves its signals to another",
    f"{_RULES}::test_a_fix_changes_the_interaction_and_its_signals_at_once",
)
def fix_split_in_two() -> None:
    from domain import fix

    real = fix.apply_transition

    def apply_transition(*arguments: Any, changes: Any = (), **more: Any) -> Any:
        del changes
        return real(*arguments, **more)

    fix.apply_transition = apply_transition


@mutant(
    "undo restores a resolution that has ended, so the signal waits for its draft forever",
    f"{_RULES}::test_deleting_an_interaction_leaves_no_residue_and_undo_restores_all_of_it",
)
def resolving_for_ever() -> None:
    from domain import row_undo

    real = row_undo.replace

    def keep(row: Any, **changes: Any) -> Any:
        if row.__class__ is row_undo.Signal:
            changes["status"] = row.status
        return real(row, **changes)

    row_undo.replace = keep


@mutant(
    "the answer to an earlier resolution is taken for that of the current one",
    f"{_RULES}::test_the_answer_to_an_earlier_resolution_changes_nothing",
)
def any_resolution() -> None:
    from domain import signals

    def check(signal: Any, _resolution: int) -> None:
        if signal.status != "resolving":
            raise signals.Reject("not_resolving", "it is over")

    signals._check_resolving = check
