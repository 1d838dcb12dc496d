"""Values of the results of one batch, encoded inside its transaction."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from domain.decision import Decision
from schemas.errors import Stop
from sinks.notify import Notice
from streams.applier.batches import Place, place_of_command
from streams.applier.result_records import EncodeResult, notices, result_value

_log = structlog.get_logger("applier")


class Unencodable(Exception):
    """The result of a command does not fit its schema."""


class ResultValues:
    """Encodes each result once: for the batch's notices and for the results topic.

    Hazard: a result that cannot be encoded must be found before the commit. After it, the outcome could
    never be published, and every restart would fail on it again.
    """

    def __init__(self, encode: EncodeResult) -> None:
        self._encode = encode
        self._values: dict[Place, bytes] = {}

    def make(self, decisions: Sequence[Decision]) -> None:
        """Encode the results of decisions that are about to be stored.

        :raises Unencodable: one of them does not fit its schema.
        """
        for decision in decisions:
            try:
                self._values[place_of_command(decision.command)] = result_value(decision, self._encode)
            except Stop as error:
                raise Unencodable from error

    def notices(self, decisions: Sequence[Decision]) -> Sequence[Notice]:
        """Notices for the gateways that wait for these outcomes; none when they cannot be made."""
        try:
            return notices(decisions, self._value)
        except Exception as error:  # noqa: BLE001 - a hint only: the result on the topic is what counts
            _log.warning("applier.no_notices", error=type(error).__name__)
            return []

    def take(self) -> dict[Place, bytes]:
        """Hand over the values by partition and offset, and begin the next batch without any."""
        values, self._values = self._values, {}
        return values

    def _value(self, decision: Decision) -> bytes:
        value = self._values.get(place_of_command(decision.command))
        return value if value is not None else result_value(decision, self._encode)
