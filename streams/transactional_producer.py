"""Transactional producer: two Kafka clients that alternate, and are replaced when they fail or hang.

There are two because the broker writes a transaction's end markers to every partition only after it has
reported the commit. A client that begins its next transaction meanwhile is refused (CONCURRENT_TRANSACTIONS)
and waits 20 ms. A transaction begins only after the outcome of the other client's is known, so transactions
commit in the order of the results.

A client that was fenced, or that does not return from a call (librdkafka issue 5456), is abandoned. Its
successor, with the same transactional id, ends the open transaction. What was part of that transaction, the
group's offsets of an applier or the checkpoint of a relay, then shows whether it was committed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition

from runtime.backoff import Backoff
from runtime.bounded_call import CallTimeout, within
from runtime.kafka import FLUSHED_LINGER_MS, make_admin, make_producer
from runtime.outages import AskedToStopError, describe, through_outages
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from streams.heartbeat import Heartbeat

#: Timeout of one call; much longer than any call takes that returns at all.
CALL_SECONDS: Final = 5.0
_TRANSACTION_SECONDS: Final = 15.0
_COMMIT_SECONDS: Final = 15.0
_RETRIES: Final = Backoff(ceiling=1.0)
#: Hanging clients that were abandoned; with more of them the process restarts.
_MOST_ABANDONED: Final = 20


class Lease(Protocol):
    """The right to use a transactional id."""

    @property
    def transactional_id(self) -> str:
        """The id."""

    def held(self) -> bool:
        """Return whether the right is still held."""


class TransactionalProducer:
    """Holds a transactional id and its two clients.

    :param role: names the log events; ``stage``: sends the heartbeats.
    :param acquire: leases a transactional id; may raise ``Retry``.
    :param most_bytes: size of the largest record, if it is larger than Kafka's default.
    :param stop: ends every wait.
    """

    def __init__(
        self,
        settings: Settings,
        role: str,
        stage: str,
        acquire: Callable[[], Lease],
        heartbeat: Heartbeat,
        stop: threading.Event,
        *,
        most_bytes: int | None = None,
    ) -> None:
        self._settings = settings
        self._role = role
        self._log = structlog.get_logger(role)
        self._stage = stage
        self._acquire = acquire
        self._most_bytes = most_bytes
        self._lease: Lease | None = None
        self._heartbeat = heartbeat
        self._stop = stop
        self._abandoned = 0
        self._clients: list[Producer | None] = [None, None]
        self._turn = 0

    def open(self) -> Producer | None:
        """Return the client whose turn it is; ``None`` when asked to stop before it is available.

        Both clients are initialized first: a former owner may have left a transaction open under either id.

        :raises Stop: the broker refuses permanently.
        """
        if None in self._clients:
            try:
                through_outages(self._initialize, self._note_outage, self._stop.wait, _RETRIES)
            except AskedToStopError:
                return None
        return self._clients[self._turn]

    def _initialize(self) -> None:
        while None in self._clients:
            self._heartbeat.beat(self._stage)
            lease = self._held_lease()
            number = self._clients.index(None)
            self._clients[number] = self._initialized(_transactional_id(lease, number))

    def _note_outage(self, error: Exception, _seconds: float) -> None:
        if isinstance(error, KafkaException):
            cause = error.args[0]
            if not (cause.retriable() or cause.fatal()):
                raise Stop(f"the {self._role}'s producer cannot be initialized: {cause.str()}") from error
        self._log.warning(f"{self._role}.producer_retry", reason=describe(error))

    def commit(self, client: Producer) -> None:
        """Commit the open transaction of the client whose turn it is, and give the turn to the other.

        :raises CallTimeout: the outcome is unknown; the client must be replaced.
        :raises KafkaException: nothing was committed.
        """
        deadline = time.monotonic() + _COMMIT_SECONDS
        while True:
            try:
                bounded("commit", client.commit_transaction)
                break
            except KafkaException as failure:
                # Hazard: the outcome of a timed-out commit is unknown. The same call resolves it, or what was
                # part of the transaction does, once a successor of the client has ended it.
                if not failure.args[0].retriable():
                    raise
                if time.monotonic() > deadline:
                    raise CallTimeout("the commit of a transaction") from failure
                self._heartbeat.beat(self._stage)
        self._turn = 1 - self._turn

    def aborted(self, client: Producer) -> bool:
        """Abort the open transaction; ``False`` when the client cannot, and must be replaced."""
        try:
            bounded("abort", client.abort_transaction)
        except CallTimeout:
            return False
        except KafkaException as failure:
            error = failure.args[0]
            self._log.warning(f"{self._role}.abort_failed", reason=error.str(), code=error.name())
            return False
        return True

    def close(self) -> None:
        """Abandon both clients."""
        for number in range(len(self._clients)):
            self._abandon(number)

    def _held_lease(self) -> Lease:
        # Hazard: if the database ended our session, the lease is lost and another process may hold it now.
        if self._lease is None or not self._lease.held():
            self._lease = self._acquire()
            self.close()
        return self._lease

    def _initialized(self, transactional_id: str) -> Producer:
        options = {
            "transactional.id": transactional_id,
            # The open transaction of a killed owner hides later records from readers this long.
            "transaction.timeout.ms": int(_TRANSACTION_SECONDS * 1000),
            "linger.ms": FLUSHED_LINGER_MS,
        }
        if self._most_bytes is not None:
            options["message.max.bytes"] = self._most_bytes
        client = make_producer(self._settings, **options)
        try:
            bounded("init-transactions", client.init_transactions)
        except:  # also what is not an exception class (runtime.supervised_thread)
            _abandon(client)
            raise
        return client

    def replace(self, reason: str, *, hanging: bool) -> None:
        """Abandon the client whose turn it is; the next :meth:`open` makes another.

        :raises Stop: too many hanging clients were abandoned.
        """
        self._log.warning(f"{self._role}.producer_replaced", reason=reason)
        self._abandoned += hanging
        if self._abandoned > _MOST_ABANDONED:
            raise Stop(f"{self._abandoned} Kafka clients hang; the process ends so that a new one takes over")
        self._abandon(self._turn)

    def _abandon(self, number: int) -> None:
        client, self._clients[number] = self._clients[number], None
        if client is not None:
            _abandon(client)

    def published(self, group: str, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """Read from the group's offsets how far results are published, while no own transaction is open.

        :returns: partition → the offset below which every result is published.
        :raises Retry: the broker does not answer in time, or a transaction with offsets of these partitions
            is still open: its outcome decides what is published.
        :raises KafkaException: the broker refuses.
        """
        request = ConsumerGroupTopicPartitions(
            group, [TopicPartition(topic, number) for number in partitions]
        )
        admin = make_admin(self._settings)  # Hazard: without a reference it is closed before it answers.
        future = admin.list_consumer_group_offsets(
            [request], require_stable=True, request_timeout=CALL_SECONDS
        )[group]
        found = within(CALL_SECONDS + 1.0, "group-offsets", future.result)
        for partition in found.topic_partitions:
            # Hazard: with an error the offset is -1001, which would read as "nothing is published yet".
            if partition.error is not None:
                raise Retry(f"partition {partition.partition}: {partition.error.str()}")
        return {partition.partition: partition.offset for partition in found.topic_partitions}


def _transactional_id(lease: Lease, number: int) -> str:
    return lease.transactional_id if number == 0 else f"{lease.transactional_id}-b"


def bounded(what: str, call: Callable[[float], object]) -> None:
    """Make one call of the client, with a timeout of our own beside the client's.

    Hazard: the client ignores its own timeout when it loses its coordinator at the wrong moment.

    :param call: takes the client's timeout in seconds.
    :raises CallTimeout: the call does not return; the client must be replaced.
    :raises KafkaException: the client or the broker refuses.
    """
    within(CALL_SECONDS + 1.0, what, lambda: call(CALL_SECONDS))


def _abandon(client: Producer) -> None:
    """Drop a client in the background: closing it may hang like its calls."""
    holder = [client]
    threading.Thread(target=holder.clear, name="left-behind", daemon=True).start()
