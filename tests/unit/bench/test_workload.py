"""The workload is valid, the same for every scenario, and bad only where it is meant to be."""

from __future__ import annotations

from collections import Counter

import orjson

from bench.peers.rows import COLUMNS, rows_of
from bench.workload import creates, decode, entity_ids, entity_upserts, mixed, stable_id, with_poison
from schemas.command import Command, Refused


def test_the_same_seed_gives_the_same_commands() -> None:
    entities = entity_ids(10)
    assert creates(50, entities, "a") == creates(50, entities, "a")
    assert creates(50, entities, "a") != creates(50, entities, "b")


def test_every_command_is_valid_and_has_an_id_of_its_own() -> None:
    messages = [*entity_upserts(5), *creates(40, entity_ids(5), "a"), *mixed(60, 100, "b", set())]
    commands = decode(messages, "t", 6)
    assert all(isinstance(command, Command) for command in commands)
    assert len({command.envelope.id for command in commands}) == len(messages)


def test_one_record_in_a_hundred_is_poison_of_four_kinds() -> None:
    healthy = creates(990, entity_ids(5), "a")
    messages = with_poison(healthy)
    commands = decode(messages, "t", 6)
    refused = [command for command in commands if isinstance(command, Refused)]
    assert (len(messages), len(refused)) == (1000, 10)
    assert Counter(command.rejection.code for command in refused) == {
        "undecodable": 3, "validation_failed": 3, "unknown_type": 2, "key_mismatch": 2,
    }  # fmt: skip


def test_offsets_go_on_where_the_log_ends() -> None:
    ends = [0, 0]
    first = decode(creates(20, entity_ids(5), "a"), "t", 2, ends)
    second = decode(creates(20, entity_ids(5), "b"), "t", 2, ends)
    places = [(command.record.partition, command.record.offset) for command in [*first, *second]]
    assert len(set(places)) == 40
    assert sum(ends) == 40


def test_a_stored_interaction_is_named_once() -> None:
    used: set[int] = set()
    mixed(40, 30, "a", used)
    mixed(40, 30, "b", used)
    assert len(used) == 40
    assert all(number % 20 < 4 for number in used)


def test_stable_ids_are_what_postgres_makes_of_the_same_text() -> None:
    assert stable_id("entity", 7) == "4e61fa1c-7054-d2ca-8013-aef8674bf0b1"  # md5('entity/7')::uuid


def test_a_peers_row_has_the_columns_of_its_schema() -> None:
    (message,) = rows_of(creates(1, entity_ids(1), "a"))
    assert list(orjson.loads(message.value)) == list(COLUMNS)
