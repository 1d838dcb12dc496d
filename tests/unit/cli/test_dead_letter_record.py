"""Dead letter records: replays of the same original, and the content of a replay."""

from __future__ import annotations

import pytest

from cli.dead_letters.commands import _replayed
from cli.dead_letters.dead_letter import replay
from cli.publish.input_lines import InputCommand, Unsendable
from runtime.dead_letters import DeadLetter, read_dead_letter, replays_of
from schemas.errors import Reject
from schemas.incoming_record import IncomingRecord

COMMANDS = "customers.interactions.commands"


def dead_letter(
    offset: int, at: tuple[str, int, int] = (COMMANDS, 1, 7), *more: tuple[str, bytes | None]
) -> DeadLetter:
    headers: list[tuple[str, bytes | None]] = [
        ("ce_id", b"c-1"),
        ("x-own", None),
        ("x-own", b"\xff"),
        *more,
        ("dl_topic", at[0].encode()),
        ("dl_partition", str(at[1]).encode()),
        ("dl_offset", str(at[2]).encode()),
        ("dl_reason", b"the value is not JSON"),
        ("dl_error_class", b"undecodable"),
        ("dl_attempt", b"1"),
    ]
    found = read_dead_letter(
        IncomingRecord("dead-letters", 3, offset, 0, b"\x00key", b"\xffvalue", tuple(headers))
    )
    assert found is not None
    return found


def send(chosen: DeadLetter, replays: int = 0, max_tries: int = 3) -> dict[str, object]:
    sent = replay(chosen, number=1, replays=replays, max_tries=max_tries, commands_topic=COMMANDS)
    assert (sent.record.key, sent.record.value, sent.command_id) == (b"\x00key", b"\xffvalue", "c-1")
    return {"headers": sent.record.headers}


def test_a_replay_is_the_original_with_its_count_and_origin() -> None:
    assert send(dead_letter(0))["headers"] == [
        ("ce_id", b"c-1"),
        ("x-own", None),
        ("x-own", b"\xff"),
        ("dl_original_topic", COMMANDS),
        ("dl_original_partition", "1"),
        ("dl_original_offset", "7"),
        ("dl_replay_count", "1"),
    ]


def test_a_replay_of_a_replay_keeps_the_first_origin_and_counts_on() -> None:
    again = dead_letter(
        9,
        (COMMANDS, 1, 50),
        ("dl_original_topic", COMMANDS.encode()),
        ("dl_original_partition", b"1"),
        ("dl_original_offset", b"7"),
        ("dl_replay_count", b"1"),
    )
    assert again.original == (COMMANDS, 1, 7)
    assert again.failed_at == (COMMANDS, 1, 50)
    first = dead_letter(0)
    assert replays_of(first.original, [first, again]) == 1
    headers = send(first, replays_of(first.original, [first, again]))["headers"]
    assert isinstance(headers, list)
    assert headers[-1] == ("dl_replay_count", "2")
    assert headers[-2] == ("dl_original_offset", "7")


def test_the_limit_counts_all_tries_of_the_original() -> None:
    with pytest.raises(Reject, match="replayed 3 times") as refused:
        send(dead_letter(0), replays=3)
    assert refused.value.code == "replay_limit"
    send(dead_letter(0), replays=3, max_tries=4)


@pytest.mark.parametrize("topic", ["customers.interactions.results", "other"])
def test_only_records_of_the_commands_topic_are_replayed(topic: str) -> None:
    with pytest.raises(Reject) as refused:
        send(dead_letter(0, (topic, 0, 1)))
    assert refused.value.code == "replay_target"


def test_a_forged_origin_does_not_open_another_topic() -> None:
    forged = dead_letter(
        0,
        (COMMANDS, 1, 7),
        ("dl_original_topic", b"other"),
        ("dl_original_partition", b"0"),
        ("dl_original_offset", b"0"),
    )
    with pytest.raises(Reject):
        send(forged)


def test_a_record_without_a_place_is_no_letter() -> None:
    record = IncomingRecord(
        "dead-letters", 0, 0, 0, None, None, (("dl_topic", b"x"), ("dl_partition", b"one"))
    )
    assert read_dead_letter(record) is None


@pytest.mark.parametrize("count", [b"9" * 5000, b"-1", b"1.5", "\u0663".encode(), b"", b"\xff"], ids=repr)
def test_a_count_that_is_no_small_number_counts_as_never(count: bytes) -> None:
    assert dead_letter(0, (COMMANDS, 1, 7), ("dl_replay_count", count)).replays == 0


@pytest.mark.parametrize("offset", [b"9" * 5000, b" 7", b"-7", b"1_0"], ids=lambda text: text[:6])
def test_an_origin_that_is_no_place_is_passed_over(offset: bytes) -> None:
    origin = (
        ("dl_original_topic", COMMANDS.encode()),
        ("dl_original_partition", b"1"),
        ("dl_original_offset", offset),
    )
    assert dead_letter(0, (COMMANDS, 1, 50), *origin).original == (COMMANDS, 1, 50)


def test_what_could_not_be_kept_is_not_replayed() -> None:
    with pytest.raises(Reject, match="commands 1:7") as refused:
        send(dead_letter(0, (COMMANDS, 1, 7), ("dl_left_out", b"headers,value")))
    assert refused.value.code == "replay_incomplete"


def test_with_all_one_that_cannot_be_replayed_is_reported_and_the_others_go_on() -> None:
    good, foreign = dead_letter(0), dead_letter(1, ("other", 0, 1))
    made = [
        _replayed(chosen, number, [good, foreign], max_tries=3, topic=COMMANDS, every=True)
        for number, chosen in enumerate((foreign, good), 1)
    ]
    assert isinstance(made[0], Unsendable)
    assert (made[0].number, made[0].code) == (1, "replay_target")
    assert isinstance(made[1], InputCommand)
    with pytest.raises(Reject):
        _replayed(foreign, 1, [foreign], max_tries=3, topic=COMMANDS, every=False)
