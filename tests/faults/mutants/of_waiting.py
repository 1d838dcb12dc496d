# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of waiting: one command without an effect holds up what waits for it, or what is behind it."""

from __future__ import annotations

from tests.faults.mutants.catalogue import mutant

_REPEATS = "test:tests/unit/streams/test_repeats.py"
_RELAY = "test:tests/unit/streams/test_relay_isolation.py"
_DRAFTING = "test:tests/unit/drafts/test_drafting.py"


@mutant(
    "rows that cannot be marked stay on the page of the timers",
    f"{_REPEATS}::test_a_row_without_effect_is_left_out_until_its_next_repetition",
)
def nothing_left_out() -> None:
    from streams.timers.repeats import Repeats

    Repeats.left_out = lambda _self: []


@mutant(
    "every repetition of a mark that changed nothing is a duplicate",
    f"{_REPEATS}::test_a_command_that_changed_nothing_is_no_duplicate_an_hour_later",
)
def id_without_hour() -> None:
    from streams.timers import timers

    timers._hour = lambda _now: ""


@mutant(
    "a command of a job on which the pipeline failed counts as applied",
    "test:tests/unit/streams/jobs/test_commands.py::test_a_command_that_was_refused_unread_is_rejected",
)
def isolated_counts_as_applied() -> None:
    from sinks.jobs.outcomes import Outcome
    from streams.jobs import commands

    commands._ISOLATED = Outcome("applied", None)


@mutant(
    "one journal row that cannot be read ends the relay",
    f"{_RELAY}::test_a_row_that_cannot_be_read_has_no_events",
)
def one_row_ends_the_relay() -> None:
    from streams.relay import isolation

    isolation.Isolation.entry = lambda _self, row: isolation.entry_of(row)


@mutant(
    "an error that the broker always answers with counts as an outage",
    "test:tests/unit/runtime/test_acknowledged_sender.py::test_an_error",
)
def refusal_is_an_outage() -> None:
    from runtime import acknowledged_sender

    acknowledged_sender.OF_A_RECORD = frozenset()


@mutant(
    "one odd event ends the drafts role",
    f"{_DRAFTING}::test_an_event_that_cannot_be_handled_is_skipped",
)
def odd_event_ends_the_role() -> None:
    from streams.drafts.drafting import Drafting

    def end(_self: Drafting, _message: object, error: Exception) -> None:
        raise error

    Drafting._isolate = end


@mutant(
    "a provider that ends its thread ends the process",
    "test:tests/unit/connectors/test_guarded_provider.py::test_what_is_no_exception_becomes_a_defect",
)
def provider_is_not_contained() -> None:
    from contextlib import nullcontext

    from connectors.service import guarded_provider

    guarded_provider.contained = nullcontext
