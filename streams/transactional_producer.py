"""The producer of results: two transactional Kafka clients in turns, replaced when they break or hang.

Two, because the broker writes a transaction's end to every partition after it has said that it is
committed; a client that begins again meanwhile is refused (CONCURRENT_TRANSACTIONS) and waits 20 ms. One
transaction begins only after the other's end is known, so their order is that of the results.

A client that was fenced, or does not come back from a call (librdkafka issue 5456), is left behind; its
successor, under the same transactional id, ends the transaction it had open. What became of that
transaction is then read from the group's offsets, which travelled in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition

from runtime.backoff import Backoff
from runtime.bounded_call import within
from runtime.kafka import FLUSHED_LINGER_MS, make_admin, make_producer
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from streams.applier.dead_letter_records import MOST_LETTER_BYTES
from streams.heartbeat import Heartbeat
from streams.transactional_ids import TransactionalIdLease, lease_transactional_id

_log = structlog.get_logger("applier")
#: Longest time of one call. Much longer than any call takes that comes back.
CALL_SECONDS: Final = 5.0
_TRANSACTION_SECONDS: Final = 15.0
#: Clients that were left behind hanging; with more of them the process is better begun afresh.
_MOST_LEFT_BEHIND: Final = 20


class TransactionalProducer:
    """Holds a slot and its clients.

    :param stop: ends every waiting.
    """

    def __init__(self, settings: Settings, heartbeat: Heartbeat, stop: threading.Event) -> None:
        self._settings = settings
        self._slot: TransactionalIdLease | None = None  # its lock lives as long as its connection
        self._heartbeat = heartbeat
        self._stop = stop
        self._left_behind = 0
        self._clients: list[Producer | None] = [None, None]
        self._turn = 0

    def open(self) -> Producer | None:
        """The client whose turn it is; both are made ready if need be, since a former owner may have left a
        transaction open under either id. ``None`` when told to stop before they are.

        :raises Stop: the broker refuses for good.
        """
        delays = Backoff(ceiling=1.0).delays()
        while None in self._clients:
            self._heartbeat.beat("publisher")
            try:
                slot = self._claimed()
                number = self._clients.index(None)
                self._clients[number] = self._ready(_transactional_id(slot, number))
                continue
            except Retry as refusal:  # a client that hangs, or a database that is away
                _log.warning("applier.producer_retry", reason=str(refusal))
            except KafkaException as failure:
                error = failure.args[0]
                if not (error.retriable() or error.fatal()):
                    raise Stop(f"the results producer cannot start: {error.str()}") from failure
                _log.warning("applier.producer_retry", reason=error.str(), code=error.name())
            if self._stop.wait(next(delays)):
                return None
        return self._clients[self._turn]

    def take_turns(self) -> None:
        """The present client's transaction is committed: the next one is the other's."""
        self._turn = 1 - self._turn

    def _claimed(self) -> TransactionalIdLease:
        # Hazard: a database that ended our session has freed the slot, and another process may have it.
        if self._slot is None or not self._slot.held():
            self._slot = lease_transactional_id(self._settings)
            for number in range(len(self._clients)):
                self._leave(number)
        return self._slot

    def _ready(self, transactional_id: str) -> Producer:
        client = make_producer(
            self._settings,
            **{
                "transactional.id": transactional_id,
                # A killed owner's open transaction hides later results from readers for so long.
                "transaction.timeout.ms": int(_TRANSACTION_SECONDS * 1000),
                "linger.ms": FLUSHED_LINGER_MS,
                # A dead letter holds its record without the compression it came with.
                "message.max.bytes": MOST_LETTER_BYTES + 64 * 1024,
            },
        )
        try:
            bounded("init-transactions", client.init_transactions)
        except:  # also what is no exception class (runtime.supervised_thread)
            _leave(client)
            raise
        return client

    def replace(self, reason: str, *, hanging: bool) -> None:
        """Leave the client whose turn it is behind; the next :meth:`open` makes another.

        :raises Stop: too many were left hanging.
        """
        _log.warning("applier.producer_replaced", reason=reason)
        self._left_behind += hanging
        if self._left_behind > _MOST_LEFT_BEHIND:
            raise Stop(f"{self._left_behind} Kafka clients hang; starting afresh")
        self._leave(self._turn)

    def _leave(self, number: int) -> None:
        client, self._clients[number] = self._clients[number], None
        if client is not None:
            _leave(client)

    def published(self, group: str, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """Partition → the offset below which results are published, when no transaction of ours is open.

        :raises Retry: the broker does not answer in time, or a transaction with offsets of these partitions
            is still open: its end decides what is published.
        :raises KafkaException: it refuses.
        """
        asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, number) for number in partitions])
        admin = make_admin(self._settings)  # Hazard: without a name it ends before it has answered.
        future = admin.list_consumer_group_offsets(
            [asked], require_stable=True, request_timeout=CALL_SECONDS
        )[group]
        found = within(CALL_SECONDS + 1.0, "group-offsets", future.result)
        for place in found.topic_partitions:
            # Hazard: beside an error stands offset -1001, which would read as "nothing is published yet".
            if place.error is not None:
                raise Retry(f"partition {place.partition}: {place.error.str()}")
        return {place.partition: place.offset for place in found.topic_partitions}


def _transactional_id(slot: TransactionalIdLease, number: int) -> str:
    return slot.transactional_id if number == 0 else f"{slot.transactional_id}-b"


def bounded(what: str, call: Callable[[float], object]) -> None:
    """Make one call of the client, given the seconds it may take.

    Hazard: the client ignores that when it was cut off from a coordinator at the wrong moment.

    :raises Hung: it does not come back; the client must be replaced.
    :raises KafkaException: the client or the broker refuses.
    """
    within(CALL_SECONDS + 1.0, what, lambda: call(CALL_SECONDS))


def _leave(client: Producer) -> None:
    """Let go of a client without waiting: its end may take as long as its calls."""
    holder = [client]
    threading.Thread(target=holder.clear, name="left-behind", daemon=True).start()
