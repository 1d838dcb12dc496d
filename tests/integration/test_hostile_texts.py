"""Texts full of COPY and array syntax are stored and read back unchanged."""

from __future__ import annotations

import time
from functools import partial
from operator import ne
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from sinks.batch import BatchSink
from streams.applier.apply import Applier
from tests.harness.examples import scaled
from tests.harness.wire import event, new_id

pytestmark = pytest.mark.integration

_ALONE = [
    "",
    "\\N",
    "\\.",
    "NULL",
    "null",
    "{}",
    '"',
    "\\",
    "\\\\",
    ",",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\\t",
    " ",
    "é€😀",
]
_TEXTS = st.one_of(
    st.sampled_from(_ALONE),
    st.lists(st.sampled_from([*_ALONE, "a", "'", "\b", "\v", "\x7f", "\u2028"]), max_size=12).map("".join),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
)


def _no_avro(_: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError("no Avro here")


class _Desk:
    """Apply commands to one customer, without Kafka."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.entity = new_id()
        self._transaction = Applier(BatchSink(connection, consumer_group="test", topic="commands"))
        self._offset = 0
        self.send([("entity.upsert", {"id": self.entity, "kind": "person", "displayName": "A"})])

    def send(self, commands: list[tuple[str, dict[str, Any]]], **attributes: Any) -> None:
        start, batch = self._offset, []
        for kind, data in commands:
            message = event(kind, self.entity, data, **attributes)
            record = IncomingRecord(
                topic="commands", partition=0, offset=self._offset, timestamp_ms=int(time.time() * 1000),
                key=self.entity.encode(), value=orjson.dumps(message), headers=(),
            )  # fmt: skip
            self._offset += 1
            batch.append(decode_record(record, _no_avro))
        decisions = self._transaction.apply(batch, {0: start}, {})
        assert [decision.outcome for decision in decisions] == ["applied"] * len(commands)

    def stored(self, identities: list[str]) -> list[tuple[Any, ...]]:
        rows = self.connection.execute(
            "SELECT title, body, source FROM unnest(%s::uuid[]) WITH ORDINALITY AS w (id, n)"
            " JOIN customer_interactions i ON i.id = w.id ORDER BY n",
            (identities,),
        ).fetchall()
        self.connection.commit()
        return rows


@pytest.fixture(scope="module")
def desk(embedded_stack: Settings, template_database: str) -> Any:
    from tests.stack_fixtures import own_world

    with (
        own_world(embedded_stack, template_database) as world,
        connect(world, application_name="test") as connection,
    ):
        yield _Desk(connection)


@settings(max_examples=scaled(40), suppress_health_check=[HealthCheck.too_slow])
@given(first=st.lists(_TEXTS, min_size=1, max_size=8), second=st.data())
def test_texts_are_stored_unchanged(desk: _Desk, first: list[str], second: st.DataObject) -> None:
    identities = [new_id() for _ in first]
    desk.send(
        [
            (
                "interaction.create",
                {"id": identity, "interactionType": "call", "title": text, "body": text + "b"},
            )
            for identity, text in zip(identities, first, strict=True)
        ]
    )
    assert desk.stored(identities) == [(text, text + "b", None) for text in first]
    changed = [second.draw(_TEXTS.filter(partial(ne, old))) for old in first]
    desk.send(
        [
            ("interaction.update", {"id": identity, "title": text})
            for identity, text in zip(identities, changed, strict=True)
        ]
    )
    assert desk.stored(identities) == [
        (new, old + "b", None) for new, old in zip(changed, first, strict=True)
    ]


def test_documents_and_names_are_stored_unchanged(desk: _Desk) -> None:
    text = "".join(_ALONE)
    desk.send([("entity.upsert", {"id": desk.entity, "kind": "person", "displayName": text})])
    # Attributes contain no control characters and no leading or trailing white space.
    command = "id " + "".join(part for part in _ALONE if not set(part) & set("\t\n\r\x00"))
    identity = new_id()
    desk.send(
        [("interaction.create", {"id": identity, "interactionType": "call", "title": text})],
        command_id=command,
    )
    row = desk.connection.execute(
        "SELECT j.command_id, j.facts -> 'after' ->> 'title', e.display_name"
        " FROM journal j JOIN customer_entities e ON e.id = j.entity_id"
        " WHERE j.interaction_id = %s AND j.command_id = %s",
        (identity, command),
    ).fetchall()
    desk.connection.commit()
    assert row == [(command, text, text)]
