"""The fan-out: scoping, missed changes, and slow clients that do not slow the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from api.integration_event_consumer import FIRST_PARTITION
from api.reply_record import ReplyRecord
from api.sse_broadcaster import QUEUE_LENGTH, SseBroadcaster, Subscription, format_position, parse_position
from schemas.cache_tags import feature_flags
from schemas.errors import Reject

OURS = ("t", "o")


class Decoder:
    """Values of results are JSON after the zero byte of Avro."""

    def decode(self, value: bytes) -> tuple[str, dict[str, Any]]:
        if not value.startswith(b"\x00"):
            raise Reject("undecodable", "not Avro")
        return "result", orjson.loads(value[1:])


def _broadcaster(backlog: int = 10, max_clients: int = 10, start: int = 0, end: int = 0) -> SseBroadcaster:
    return SseBroadcaster(
        Decoder(),  # type: ignore[arg-type]
        starts={0: start},
        ends={0: end},
        backlog=backlog,
        max_clients=max_clients,
    )


def _record(offset: int, scope: tuple[str, str] = OURS, outcome: str = "applied", *tags: str) -> ReplyRecord:
    result = {"invalidates": tags or (f"tag:{offset}",), "commandId": str(offset)}
    return ReplyRecord(
        partition=0,
        offset=offset,
        correlation_id=None,
        tenant_id=scope[0],
        organization_id=scope[1],
        outcome=outcome,
        value=b"\x00" + orjson.dumps(result),
        fresh=True,
    )


def _offsets(stream: Subscription) -> list[int]:
    found = []
    while not stream.queue.empty():
        change = stream.queue.get_nowait()
        assert change is not None
        found.append(change.offset)
    return found


def test_each_scope_receives_its_own_changes() -> None:
    broadcaster = _broadcaster()
    ours, _, _ = broadcaster.subscribe(OURS, None)
    theirs, _, _ = broadcaster.subscribe(("t", "other"), None)
    strangers, _, _ = broadcaster.subscribe(("u", "o"), None)
    broadcaster.on_results(
        [_record(0), _record(1, ("t", "other")), _record(2, OURS, "rejected"), _record(3, OURS, "no_op")]
    )
    assert (_offsets(ours), _offsets(theirs), _offsets(strangers)) == ([0], [1], [])
    broadcaster.on_results([_record(4, OURS, "applied", feature_flags("t"), "tag:own")])
    own = ours.queue.get_nowait()
    shared = theirs.queue.get_nowait()
    assert own is not None
    assert shared is not None
    assert orjson.loads(own.data)["tags"] == [feature_flags("t"), "tag:own"]
    assert orjson.loads(shared.data) == {"tags": [feature_flags("t")]}
    assert strangers.queue.empty()


def test_missed_changes_are_replayed() -> None:
    broadcaster = _broadcaster(backlog=3)
    broadcaster.on_results([_record(offset) for offset in range(5)])
    for seen, missed, reload in (
        (4, [], False),
        (2, [3, 4], False),
        (1, [2, 3, 4], False),
        (0, [], True),
        (9, [], True),
    ):
        _, found, again = broadcaster.subscribe(OURS, format_position({0: seen}))
        assert ([change.offset for change in found], again) == (missed, reload), seen
    _, _, again = broadcaster.subscribe(OURS, format_position({0: 4, 1: 0}))
    assert again, "a position of other partitions"
    _, found, _ = broadcaster.subscribe(("u", "o"), format_position({0: 1}))
    assert found == []


def test_a_quiet_topic_has_a_position_too() -> None:
    broadcaster = _broadcaster(start=5, end=7)
    stream, _, _ = broadcaster.subscribe(OURS, None)
    position = format_position(stream.seen)
    assert position == "0-7"
    assert parse_position(position) == {0: 6}
    _, missed, again = broadcaster.subscribe(OURS, position)
    assert (missed, again) == ([], False)


def _mapping(offset: int, scope: tuple[str, str] = OURS, **extra: Any) -> ReplyRecord:
    value = {"integrationId": "b", "provider": "trello", "interactionId": "i", "invalidates": [f"m:{offset}"]}
    heard = _record(offset, scope)
    return replace(heard, partition=FIRST_PARTITION, value=b"\x00" + orjson.dumps(value | extra))


def _json(record: ReplyRecord) -> ReplyRecord:
    """The record as an earlier version published it."""
    return replace(record, value=record.value[1:])


def test_mapping_changes_are_scoped_and_have_their_own_partitions() -> None:
    starts: dict[int, int] = {0: 0, FIRST_PARTITION: 0}
    broadcaster = SseBroadcaster(Decoder(), starts=starts, ends=starts, backlog=3, max_clients=9)  # type: ignore[arg-type]
    ours, _, _ = broadcaster.subscribe(OURS, None)
    theirs, _, _ = broadcaster.subscribe(("t", "other"), None)
    before = format_position(ours.seen)
    broadcaster.on_results([_record(0), _mapping(0)])
    broadcaster.on_results([_mapping(1, OURS, title="Ada"), _mapping(2, ("t", "other")), _mapping(3)])
    data = []
    while not ours.queue.empty():
        change = ours.queue.get_nowait()
        assert change is not None
        data.append(orjson.loads(change.data))
    assert [entry["tags"] for entry in data] == [["tag:0"], ["m:0"], ["m:1"], ["m:3"]]
    assert "Ada" not in str(data), "ids and tags only"
    assert data[1] == {"tags": ["m:0"], "interactionId": "i"}
    assert _offsets(theirs) == [2]
    _, missed, again = broadcaster.subscribe(OURS, format_position({0: 0, FIRST_PARTITION: 1}))
    assert ([change.offset for change in missed], again) == ([3], False)
    _, _, again = broadcaster.subscribe(OURS, before)
    assert again, "the backlog starts later"
    _, _, again = broadcaster.subscribe(OURS, format_position({0: 0}))
    assert again, "a position without the partitions of integration events"


def test_an_unreadable_event_is_skipped_and_one_in_json_is_read() -> None:
    starts: dict[int, int] = {FIRST_PARTITION: 0}
    broadcaster = SseBroadcaster(Decoder(), starts=starts, ends=starts, backlog=3, max_clients=9)  # type: ignore[arg-type]
    ours, _, _ = broadcaster.subscribe(OURS, None)
    broken_json = replace(_mapping(1), value=b"{")
    broadcaster.on_results([replace(_mapping(0), value=b"\x01"), broken_json, _json(_mapping(2))])
    assert _offsets(ours) == [2]


@pytest.mark.parametrize("tags", [[1], 5, [{}], {"a": 1}])
def test_tags_of_another_type_are_skipped(tags: Any) -> None:
    starts: dict[int, int] = {FIRST_PARTITION: 0}
    broadcaster = SseBroadcaster(Decoder(), starts=starts, ends=starts, backlog=9, max_clients=9)  # type: ignore[arg-type]
    ours, _, _ = broadcaster.subscribe(OURS, None)
    broadcaster.on_results([_json(_mapping(0, invalidates=tags)), _mapping(1)])
    assert _offsets(ours)[-1] == 1
    _, missed, again = broadcaster.subscribe(OURS, format_position({FIRST_PARTITION: -1}))
    assert (missed[-1].offset, again) == (1, False)


def test_a_stopped_integration_invalidates_its_tags() -> None:
    starts: dict[int, int] = {0: 0, FIRST_PARTITION: 0}
    broadcaster = SseBroadcaster(Decoder(), starts=starts, ends=starts, backlog=3, max_clients=9)  # type: ignore[arg-type]
    ours, _, _ = broadcaster.subscribe(OURS, None)
    stopped = {"integrationId": "b", "provider": "trello", "state": "disabled", "invalidates": ["m"]}
    value = b"\x00" + orjson.dumps(stopped)
    broadcaster.on_results([replace(_record(0), partition=FIRST_PARTITION, value=value)])
    change = ours.queue.get_nowait()
    assert change is not None
    assert orjson.loads(change.data)["tags"] == ["m"]


def test_a_slow_client_is_disconnected_and_must_reload() -> None:
    broadcaster = _broadcaster()
    slow, _, _ = broadcaster.subscribe(OURS, None)
    quick, _, _ = broadcaster.subscribe(OURS, None)
    received = 0
    for offset in range(QUEUE_LENGTH + 50):
        broadcaster.on_results([_record(offset)])
        received += len(_offsets(quick))
    assert received == QUEUE_LENGTH + 50
    assert slow.overrun
    assert slow.queue.qsize() <= QUEUE_LENGTH + 1
    last = [slow.queue.get_nowait() for _ in range(slow.queue.qsize())][-1]
    assert last is None


def test_the_limit_of_clients() -> None:
    broadcaster = _broadcaster(max_clients=1)
    stream, _, _ = broadcaster.subscribe(OURS, None)
    with pytest.raises(Reject) as refused:
        broadcaster.subscribe(OURS, None)
    assert refused.value.status == 503
    broadcaster.unsubscribe(stream)
    broadcaster.unsubscribe(stream)
    assert broadcaster.clients == 0
    broadcaster.subscribe(OURS, None)


@pytest.mark.parametrize("text", ["", "x", "0", "0-", "-1-1", "0-1,1-2", "0-1.", "1" * 9000])
def test_a_malformed_position_means_a_reload(text: str) -> None:
    """A browser repeats its last id on every reconnect, so a refusal would lock it out."""
    assert parse_position(text) is None
    stream, missed, reload = _broadcaster(end=3).subscribe(OURS, text)
    assert (missed, reload) == ([], bool(text))
    assert stream.seen == {0: 2}, "and it goes on from now"
