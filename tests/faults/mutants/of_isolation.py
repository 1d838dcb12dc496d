# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of isolation: one record blocks the records behind it, or fails them too."""

from __future__ import annotations

from typing import Any

from tests.faults.mutants.catalogue import mutant

_PATTERNS = "test:tests/unit/test_anchored_patterns.py::test_a_scope_id_with_a_tail_is_refused"
_COPY = "test:tests/unit/sinks/test_copy_text.py::test_a_row_stays_one_line_of_its_columns"
_PUBLISHER = "test:tests/unit/streams/test_publisher.py"
_LETTERS = "test:tests/unit/streams/test_dead_letter_records.py"
_CLI = "test:tests/unit/cli/test_dead_letter_record.py"


@mutant("a scope id may end in a line feed", _PATTERNS)
def pattern_ends_early() -> None:
    from schemas import envelope

    # Both checks that a scope id passes: either alone refuses the line feed.
    envelope.attribute_text = lambda text: text
    envelope._is_scope_id = lambda text: envelope._UUID.match(text) is not None and text == text.lower()


@mutant("ids are not escaped in COPY text", _COPY)
def ids_not_escaped() -> None:
    from sinks import bulk_insert as new_rows

    new_rows._WRITERS["uuid"] = lambda values: ["\\N" if value is None else value for value in values]


@mutant(
    "a record that the broker refuses for good is sent again and again",
    f"{_PUBLISHER}::test_a_dead_letter_that_is_refused_goes_out_without_its_value",
)
def refusal_retried() -> None:
    from streams.applier import unpublishable

    unpublishable.OF_A_RECORD = frozenset()


@mutant(
    "a batch that is given up does not hold back the offsets of later ones",
    f"{_PUBLISHER}::test_no_later_offsets_pass_a_batch_that_is_given_up",
)
def later_offsets_pass() -> None:
    from streams.applier.batches import InFlight

    InFlight.abandon = lambda _self, **_: None


@mutant(
    "a replay count is parsed without limits",
    f"{_LETTERS}::test_a_count_that_is_no_small_number_counts_as_never",
)
def any_count_read() -> None:
    from streams.applier import dead_letter_records

    def replays(record: Any) -> int:
        counts = [value for name, value in record.headers if name == "dl_replay_count" and value]
        return int(counts[-1]) if counts else 0

    dead_letter_records._replays = replays


@mutant(
    "one dead letter that cannot be replayed ends the replay of all",
    f"{_CLI}::test_with_all_one_that_cannot_be_replayed_is_reported_and_the_others_go_on",
)
def replay_of_all_ends() -> None:
    from cli.dead_letters import commands as dead_letters

    real = dead_letters._replayed
    dead_letters._replayed = lambda *a, **k: real(*a, **{**k, "every": False})


@mutant(
    "a record that broke the pipeline is not isolated",
    "test:tests/unit/streams/test_decoding.py::test_a_message_that_breaks_the_decoder_is_isolated",
)
def breakage_not_isolated() -> None:
    from streams.applier.decoding import Decoding

    def decode(self: Decoding, message: Any) -> Any:
        from runtime.incoming_records import read_record

        return self._patiently(read_record(message))

    Decoding.decode = decode


@mutant(
    "an applied record is isolated after a crash",
    "test:tests/unit/streams/test_careful.py::test_a_record_alone_in_hand_at_three_crashes_is_isolated",
)
def carried_out_isolated() -> None:
    from streams.applier.careful import Careful

    real = Careful.assigned
    Careful.assigned = lambda self, starts, _applied: real(self, starts, {})


@mutant(
    "the watermark passes records that became void before they were applied",
    "test:tests/unit/streams/test_void_records.py"
    "::test_an_end_behind_records_that_were_not_taken_is_not_noted[True]",
)
def void_records_passed() -> None:
    from streams.applier.ownership import Ownership

    Ownership.forget_ends = lambda self: None
