"""Publish records with header names that are not UTF-8, as clients in other languages can."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.record.util import calc_crc32c  # type: ignore[import-untyped]

from runtime.settings import Settings
from schemas.topics import COMMANDS

#: Offsets in a record batch (magic 2) of its checksum, and of the bytes that the checksum covers.
_CRC_AT, _CRC_OF = 17, 21
#: Minimum length of a name that does not occur elsewhere in the batch by chance.
_SHORTEST = 4


def publish_raw_header(settings: Settings, key: bytes, value: bytes, name: bytes) -> tuple[int, int]:
    """Send one record with one header; returns its partition and offset."""
    return publish_raw_headers(settings, [(key, value, [name])])[0]


def publish_raw_headers(
    settings: Settings, records: Sequence[tuple[bytes, bytes, Sequence[bytes]]]
) -> list[tuple[int, int]]:
    """Send records to partition 0, one per batch; returns partition and offset of each.

    :param records: key, value and header names; a name is empty or at least four bytes long.
    """
    return asyncio.run(_publish(settings, records))


async def _publish(
    settings: Settings, records: Sequence[tuple[bytes, bytes, Sequence[bytes]]]
) -> list[tuple[int, int]]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    await producer.start()
    try:
        places = []
        for key, value, names in records:
            batch = producer.create_batch()
            stand_ins = ["\x01" * len(name) for name in names]
            batch.append(key=key, value=value, timestamp=None, headers=[(name, b"1") for name in stand_ins])
            made = bytearray(batch._build())
            # The client only writes UTF-8 names: replace the placeholder bytes and fix the checksum.
            at = made.index(value) + len(value)
            for name, stand_in in zip(names, stand_ins, strict=True):
                assert not name or len(name) >= _SHORTEST
                at = made.index(stand_in.encode(), at)
                made[at : at + len(name)] = name
            made[_CRC_AT:_CRC_OF] = calc_crc32c(bytes(made[_CRC_OF:])).to_bytes(4, "big")
            batch._buffer = bytes(made)
            sent = await producer.send_batch(batch, settings.topic(COMMANDS), partition=0)
            found = await sent
            places.append((found.partition, found.offset))
        return places
    finally:
        await producer.stop()
