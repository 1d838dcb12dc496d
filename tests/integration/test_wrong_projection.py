"""A wrong stored projection is corrected by the next command, whatever it does to an interaction.

Wrong counts are not, because commands add to the stored ones: the reconciler corrects them
(tests/integration/jobs/test_reconciler.py).
"""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from sinks.batch import BatchSink
from streams.applier.apply import Applier
from tests.harness.wire import event, new_id

pytestmark = pytest.mark.integration
_EARLY, _LATE, _PAST = "2031-01-01T09:00:00Z", "2031-02-01T09:00:00Z", "2026-01-01T09:00:00Z"


def _no_avro(_: bytes) -> Any:
    raise AssertionError("no Avro here")


@pytest.mark.parametrize(
    ("verb", "size"),
    [("create", 1), ("create", 30), ("update", 1), ("cancel", 1), ("delete", 1), ("recompute_next", 1)],
    ids=["create pipelined", "create by COPY", "update", "cancel", "delete", "recompute"],
)
@pytest.mark.parametrize("wrong", ["NULL", "the other"])
def test_a_command_does_not_repeat_a_wrong_next_interaction(
    fresh_database: Settings, verb: str, size: int, wrong: str
) -> None:
    entity, early, late, done = (new_id() for _ in range(4))
    with connect(fresh_database, application_name="test") as connection:
        transaction = Applier(BatchSink(connection, consumer_group="g", topic="commands"))
        offset = 0

        def apply(*messages: dict[str, Any]) -> list[Any]:
            nonlocal offset
            first, commands = offset, []
            for message in messages:
                value, now = orjson.dumps(message), int(time.time() * 1000)
                record = IncomingRecord("commands", 0, offset, now, entity.encode(), value, ())
                commands.append(decode_record(record, _no_avro))
                offset += 1
            return transaction.apply(commands, {0: first}, {})

        def create(**data: Any) -> dict[str, Any]:
            return event("interaction.create", entity, {"interactionType": "call", **data})

        apply(
            event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}),
            create(id=early, scheduledAt=_EARLY),
            create(id=late, scheduledAt=_LATE),
            create(id=done, occurredAt=_PAST, status="done"),
        )
        shown = None if wrong == "NULL" else late
        connection.execute(
            "UPDATE customer_entities SET next_interaction_ref_id = %s, next_interaction_at = %s,"
            " last_interaction_ref_id = NULL WHERE id = %s",
            (shown, None if shown is None else _LATE, entity),
        )
        connection.commit()
        if verb == "create":
            decisions = apply(*(create(scheduledAt="2031-03-01T09:00:00Z") for _ in range(size)))
        else:
            named = {} if verb == "recompute_next" else {"id": late}
            changed = {**named, "title": "Changed"} if verb == "update" else named
            decisions = apply(event(f"interaction.{verb}", entity, changed))
        assert decisions[0].facts.next.interaction_id == early
        assert decisions[0].facts.next_changed
        row = connection.execute(
            "SELECT next_interaction_ref_id::text, last_interaction_ref_id::text FROM customer_entities"
            " WHERE id = %s",
            (entity,),
        ).fetchone()
        assert row == (early, done)
