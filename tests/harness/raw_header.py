"""Publish a record with a header whose name is not UTF-8, as clients of other languages can."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.record.util import calc_crc32c  # type: ignore[import-untyped]

from runtime.settings import Settings
from schemas.topics import COMMANDS

_STAND_IN = "header-name"
#: Bytes of a record batch (magic 2) before its checksum, and before what the checksum covers.
_CRC_AT, _CRC_OF = 17, 21


def publish_raw_header(settings: Settings, key: bytes, value: bytes, name: bytes) -> tuple[int, int]:
    """Send one record; returns its partition and offset.

    :param name: eleven bytes.
    """
    return asyncio.run(_publish(settings, key, value, name))


async def _publish(settings: Settings, key: bytes, value: bytes, name: bytes) -> tuple[int, int]:
    assert len(name) == len(_STAND_IN)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    await producer.start()
    try:
        batch = producer.create_batch()
        batch.append(key=key, value=value, timestamp=None, headers=[(_STAND_IN, b"1")])
        built = batch._build()
        # The client writes names as UTF-8 only: put the bytes in their place, and the checksum right.
        made = bytearray(bytes(built).replace(_STAND_IN.encode(), name))
        made[_CRC_AT:_CRC_OF] = calc_crc32c(bytes(made[_CRC_OF:])).to_bytes(4, "big")
        batch._buffer = bytes(made)
        topic = settings.topic(COMMANDS)
        sent = await producer.send_batch(batch, topic, partition=0)
        found = await sent
        return found.partition, found.offset
    finally:
        await producer.stop()
