"""Publish commands as publishers do, and wait for their results."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from confluent_kafka import KafkaError

from runtime.registry_fetch import make_fetch
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.topics import COMMANDS, RESULTS
from tests.harness.clients import forget_producers, shared_producer, wait_for_places
from tests.harness.topic_reader import Received, place_of_result, read_topic

TENANT = "11111111-1111-4111-8111-111111111111"
ORGANIZATION = "22222222-2222-4222-8222-222222222222"


def new_id() -> str:
    return str(uuid.uuid4())


def event(
    kind: str,
    entity_id: str,
    data: dict[str, Any],
    *,
    command_id: str | None = None,
    tenant: str = TENANT,
    organization: str = ORGANIZATION,
    **attributes: Any,
) -> dict[str, Any]:
    """Build a structured CloudEvent; ``kind`` is the type without ``customers.``."""
    return {
        "specversion": "1.0",
        "id": command_id or new_id(),
        "type": f"customers.{kind}",
        "source": "/tests",
        "tenantid": tenant,
        "organizationid": organization,
        "entityid": entity_id,
        **attributes,
        "data": data,
    }


@dataclass(frozen=True)
class Raw:
    """A record to publish unchanged."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int = -1


def publish(settings: Settings, messages: Iterable[dict[str, Any] | Raw]) -> list[tuple[int, int]]:
    """Send messages in order and wait for acknowledgement; returns (partition, offset) of each."""
    producer = shared_producer(settings)
    places: dict[int, tuple[int, int]] = {}
    failures: list[KafkaError] = []

    def delivered(number: int, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            failures.append(error)
        else:
            places[number] = (message.partition(), message.offset())

    for number, message in enumerate(messages):
        raw = (
            message if isinstance(message, Raw) else Raw(message["entityid"].encode(), orjson.dumps(message))
        )
        options: dict[str, Any] = {} if raw.partition < 0 else {"partition": raw.partition}
        while True:
            try:
                producer.produce(
                    settings.topic(COMMANDS),
                    key=raw.key,
                    value=raw.value,
                    headers=list(raw.headers),
                    on_delivery=functools.partial(delivered, number),
                    **options,
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush(60)
    if failures:
        forget_producers()
    assert not failures, failures[0]
    return [places[number] for number in range(len(places))]


def results_by_place(settings: Settings) -> dict[tuple[int, int], list[Received]]:
    """All results, by partition and offset of their commands."""
    found: dict[tuple[int, int], list[Received]] = {}
    for record in read_topic(settings, RESULTS):
        found.setdefault(place_of_result(record), []).append(record)
    return found


def wait_for_results(
    settings: Settings, places: Sequence[tuple[int, int]], seconds: float = 60.0
) -> list[Received]:
    """Wait for the one result of each command; fail when one is missing in time or comes twice."""
    found = wait_for_places(settings, places, seconds)
    doubled = [place for place in places if len(found[place]) != 1]
    assert not doubled, f"more than one result for {doubled[:5]}"
    return [found[place][0] for place in places]


def outcomes(settings: Settings, messages: Sequence[dict[str, Any] | Raw]) -> list[dict[str, Any]]:
    """Publish and wait; returns the decoded result of each message."""
    decode = decoder(settings)
    records = wait_for_results(settings, publish(settings, messages))
    return [decode.decode(record.value or b"")[1] for record in records]


def decoder(settings: Settings) -> AvroDecoder:
    """Decoder of the pipeline's output, with instants as text."""
    return AvroDecoder(make_fetch(settings), text_instants=True)
