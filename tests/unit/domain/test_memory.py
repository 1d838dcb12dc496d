"""Memory of a batch is freed when the batch is done, without a garbage collection."""

from __future__ import annotations

import gc

import orjson

from domain.decide import fold
from domain.unit_of_work import UnitOfWork
from schemas.command import Command, Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from tests.harness.histories import history
from tests.unit.domain.commands import never_avro


def _batch() -> None:
    commands: list[Command | Refused] = []
    for offset, message in enumerate(history(7, 300, entities=10)):
        if offset % 10 == 0:
            message = {**message, "data": {**message["data"], "nobody": "knows this"}}  # noqa: PLW2901
        value = orjson.dumps(message) if offset % 11 else b"\x80 no command"
        record = IncomingRecord(
            "commands", 0, offset, 1_767_225_600_000, message["entityid"].encode(), value, ()
        )
        commands.append(decode_record(record, never_avro))
    decisions = fold(UnitOfWork(), commands)
    refused = [command for command in commands if isinstance(command, Refused)]
    assert len(refused) > 40
    assert {decision.outcome for decision in decisions} == {"applied", "rejected", "no_op", "duplicate"}


def test_a_batch_leaves_no_rings() -> None:
    _batch()  # fill caches and create singletons first
    gc.collect()
    gc.disable()
    try:
        _batch()
        assert gc.collect() == 0
    finally:
        gc.enable()
