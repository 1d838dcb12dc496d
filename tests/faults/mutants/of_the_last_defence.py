# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of a fix and the isolation behind it: one record stops a partition, one response a poll."""

from __future__ import annotations

from typing import Any

from tests.faults.mutants.catalogue import mutant
from tests.faults.mutants.of_isolation import any_count_read, ids_not_escaped, pattern_ends_early
from tests.faults.mutants.of_liveness import callback_failure_passed_over
from tests.faults.mutants.of_the_exchanges import deadline_for_each_operation, poll_without_progress

_DECODING = "test:tests/unit/streams/test_decoding.py::test_a_message_that_breaks_the_decoder_is_isolated"
_PATTERNS = "test:tests/unit/test_anchored_patterns.py::test_a_scope_id_with_a_tail_is_refused"
_LETTERS = (
    "test:tests/unit/streams/test_dead_letter_records.py"
    "::test_a_count_that_is_no_small_number_counts_as_never"
)
_READER = "test:tests/unit/streams/test_hand_over.py::test_a_failed_callback_ends_the_reader"
_TAIL = (
    "test:tests/unit/streams/test_upkeep.py::test_the_watermark_advances_past_a_trailing_transaction_marker"
)
_PAUSES = "test:tests/unit/connectors/test_bounded_transport.py::test_retry_after_is_read_in_both_forms"


def _blame_no_command() -> None:
    from sinks import batch
    from streams.applier import apply as applier

    applier.may_blame_a_command = batch.may_blame_a_command = lambda _error: False


@mutant("an id with a line feed reaches the database, and the batch is not halved", _PATTERNS)
def line_feed_stops_the_partition() -> None:
    from schemas import envelope

    pattern_ends_early()
    ids_not_escaped()
    envelope._check_text = lambda *_: None
    _blame_no_command()


@mutant("a header name that is not UTF-8 ends the reader", _DECODING)
def header_name_stops_the_partition() -> None:
    from streams.applier import decoding

    real = decoding.read_record

    def read_record(message: Any) -> Any:
        message.headers()
        return real(message)

    def isolate(_self: decoding.Decoding, _record: Any, error: Exception) -> Any:
        raise error

    decoding.read_record = read_record
    decoding.Decoding._isolate = isolate


@mutant("a long replay count ends the publisher", _LETTERS)
def replay_count_stops_the_partition() -> None:
    any_count_read()
    _blame_no_command()


@mutant("a broker error in a rebalance is ignored", _READER)
def rebalance_error_stops_the_partitions() -> None:
    from confluent_kafka import KafkaError, KafkaException

    from streams.applier.start_offsets import StartOffsets

    def find(*_: Any) -> Any:
        raise KafkaException(KafkaError(KafkaError._FAIL))

    callback_failure_passed_over()
    StartOffsets.find = find


@mutant("the marker that ends a partition is taken for a lost command", _TAIL)
def marker_taken_for_a_loss() -> None:
    from streams import upkeep

    upkeep.advance_past_markers = lambda *_: None


@mutant("a provider's pause that no clock can hold ends the connectors", _PAUSES)
def provider_pause_ends_the_connectors() -> None:
    from connectors.sdk import http_errors
    from connectors.service import maintenance
    from connectors.sync import failure_policy

    http_errors.retry_after = lambda answer: float(answer.headers.get("retry-after", 0))
    for module in (http_errors, maintenance, failure_policy):
        module.bounded_pause = lambda seconds: seconds or 0.0


@mutant("a provider's pauses, answers and pages have no bounds", _PAUSES)
def exchanges_without_bounds() -> None:
    provider_pause_ends_the_connectors()
    deadline_for_each_operation()
    poll_without_progress()
