"""Results and dead letters that the broker or the client refuses for good: detected and made smaller."""

from __future__ import annotations

from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from runtime.isolated import note_isolated
from runtime.isolation_limit import IsolationLimit
from runtime.produce import OF_A_RECORD
from schemas.errors import Stop
from streams.applier.batches import Place

#: Errors about a topic or about rights: no record causes them, and waiting does not mend them.
CONFIGURATION: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)


class Unpublishable(Exception):
    """A record that is refused for good.

    :param place: of the command it is about.
    :param kind: ``result`` or ``dead letter``.
    :param size: bytes of its value.
    :param cause: a ``KafkaError``, or an exception of the client.
    """

    def __init__(self, place: Place, kind: str, size: int, cause: object) -> None:
        super().__init__(kind)
        self.place = place
        self.kind = kind
        self.size = size
        self.cause = cause


class Refusals:
    """Refused records of the open transaction, and the smaller form in which each is sent again."""

    def __init__(self) -> None:
        self._found: list[Unpublishable] = []
        self._configuration: KafkaError | None = None
        self._bare: set[Place] = set()
        self._small: set[Place] = set()
        self._limit = IsolationLimit()

    def begin(self) -> None:
        """Begin a transaction."""
        self._found = []
        self._configuration = None

    def delivered(
        self, place: Place, kind: str, size: int, error: KafkaError | None, _message: Any = None
    ) -> None:
        """Handle the delivery report of one record."""
        if error is None:
            return
        if error.code() in OF_A_RECORD:
            self._found.append(Unpublishable(place, kind, size, error))
        elif error.code() in CONFIGURATION:
            self._configuration = error

    def check(self) -> None:
        """Check the delivery reports; call it when all of the transaction have arrived.

        :raises Unpublishable: for the largest refused record. The broker refuses every record of a request
            that holds one too large, so the others may be sound.
        :raises KafkaException: a topic is missing or forbidden.
        """
        if self._found:
            raise max(self._found, key=lambda refused: refused.size)
        if self._configuration is not None:
            raise KafkaException(self._configuration)

    def note(self, refused: Unpublishable) -> None:
        """Send this record in a smaller form from now on.

        :raises Stop: there is no smaller form, or too many records are refused.
        """
        less = self._bare if refused.kind == "result" else self._small
        cause = refused.cause
        error = cause.name() if isinstance(cause, KafkaError) else type(cause).__name__
        partition, offset = refused.place
        if refused.place in less:
            raise Stop(
                f"the {refused.kind} of the record at partition {partition}, offset {offset} cannot be"
                f" published even without its details ({error}); see docs/operations.md, Getting past one"
                " record"
            )
        self._limit.isolate(refused)
        note_isolated(
            "applier.isolated",
            stage="publish",
            partition=partition,
            offset=offset,
            record=refused.kind,
            error=error,
            reference=f"{partition}:{offset}",
        )
        less.add(refused.place)

    def is_bare(self, place: Place) -> bool:
        """Return whether a result goes out without its details."""
        return place in self._bare

    def is_small(self, place: Place) -> bool:
        """Return whether a dead letter goes out without its value."""
        return place in self._small

    def settled(self, records: int) -> None:
        """Note that the transaction is committed."""
        self._limit.passed(records - len(self._bare | self._small))
        self._bare.clear()
        self._small.clear()
