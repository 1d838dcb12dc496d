"""``interactions publish`` on real servers: every line is accounted for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from examples.generate_week import week_samples
from examples.week.dictionaries import dictionary_samples
from runtime.postgres import connect
from runtime.settings import Settings
from tests.harness.audit import assert_clean
from tests.harness.forked import run
from tests.harness.roles import environment, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def interactions(settings: Settings, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return run(arguments, environment(settings), stdin=stdin)


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_week_from_publishing_to_audit(fresh_settings: Settings, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    dictionaries = list(dictionary_samples(5, now))
    week = list(week_samples(5, 60, now))
    rejected = {line: sample.code for line, sample in enumerate(week, 1) if sample.outcome == "rejected"}
    first, second = tmp_path / "dictionaries.jsonl", tmp_path / "week.jsonl"
    for path, samples in ((first, dictionaries), (second, week)):
        path.write_text("".join(json.dumps(sample.event) + "\n" for sample in samples))
    shown = ["--json", "--max-shown", "9999"]

    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        done = interactions(fresh_settings, "publish", str(first))
        assert done.returncode == 0, done.stderr
        done = interactions(fresh_settings, "publish", str(second), *shown)
        assert done.returncode == 1  # some were rejected
        summary = json.loads(done.stdout)
        assert summary["lines"] == len(week)
        assert sum(summary["outcomes"].values()) == len(week)
        assert {item["line"]: item["code"] for item in summary["rejections"]} == rejected
        assert all(item["detail"] and item["status"] >= 400 for item in summary["rejections"])
        duplicates = sum(sample.outcome == "duplicate" for sample in week)
        assert summary["outcomes"]["duplicate"] == duplicates

        done = interactions(fresh_settings, "publish", str(second), *shown, "--allow-rejected")
        assert done.returncode == 0, done.stderr
        again = json.loads(done.stdout)["outcomes"]
        assert (again["applied"], again["no_op"]) == (0, 0)
        assert again["duplicate"] + again["rejected"] == len(week)

        assert_clean(fresh_settings)
        _next_shows_the_projection(fresh_settings)
        _tail_shows_events_once(fresh_settings)
        _dead_letters_are_replayed_three_times(fresh_settings)
        assert_clean(fresh_settings)


def _next_shows_the_projection(settings: Settings) -> None:
    rows = lines_of(interactions(settings, "next", "--json", "--limit", "1000"))
    with connect(settings, application_name="test") as connection:
        stored = connection.execute(
            "SELECT id::text, next_interaction_ref_id::text FROM customer_entities"
            " WHERE next_interaction_at IS NOT NULL ORDER BY next_interaction_at, id"
        ).fetchall()
    assert [(row["entityId"], row["interactionId"]) for row in rows] == stored
    tenant = rows[0]["tenantId"]
    narrowed = lines_of(interactions(settings, "next", "--json", "--limit", "1000", "--tenant", tenant))
    assert narrowed == [row for row in rows if row["tenantId"] == tenant]
    assert 0 < len(narrowed) < len(rows)
    late = lines_of(interactions(settings, "next", "--json", "--overdue", "--limit", "1000"))
    assert late == [row for row in rows if row["overdue"]]
    assert late
    table = interactions(settings, "next", "--overdue", "--limit", "3")
    assert table.stdout.count("OVERDUE") == 3


def _tail_shows_events_once(settings: Settings) -> None:
    events = lines_of(interactions(settings, "tail", "events", "--no-follow", "--from-beginning", "--json"))
    ids = [event["headers"]["ce_id"] for event in events]
    assert len(ids) == len(set(ids)) > 100
    assert all(isinstance(event["value"]["commandId"], str) for event in events)
    entity = events[0]["headers"]["ce_entityid"]
    kind = events[0]["headers"]["ce_type"]
    arguments = ("tail", "events", "--no-follow", "--entity", entity, "--type", kind, "--json")
    chosen = lines_of(interactions(settings, *arguments, "--limit", "1000"))
    assert chosen == [
        event
        for event in events
        if (event["headers"]["ce_entityid"], event["headers"]["ce_type"]) == (entity, kind)
    ]
    states = lines_of(
        interactions(settings, "tail", "interaction-state", "--no-follow", "--from-beginning", "--json")
    )
    current = {state["key"]: state["value"] for state in states}
    with connect(settings, application_name="test") as connection:
        stored = connection.execute("SELECT id::text, version FROM customer_interactions").fetchall()
    assert {key: value["version"] for key, value in current.items() if value is not None} == dict(stored)
    newest = interactions(settings, "tail", "commands", "--no-follow", "--limit", "2")
    assert len(newest.stdout.splitlines()) == 2


def _dead_letters_are_replayed_three_times(settings: Settings) -> None:
    dead_letters = lines_of(interactions(settings, "dead-letters", "list", "--json"))
    assert {dead_letter["errorClass"] for dead_letter in dead_letters} == {"missing_attribute"}
    chosen = dead_letters[0]["id"]
    original = json.loads(interactions(settings, "dead-letters", "show", chosen).stdout)["record"]
    newest: dict[str, Any] = {}
    for tries in (1, 2, 3):
        done = interactions(settings, "dead-letters", "replay", chosen, "--json")
        assert done.returncode == 1, done.stderr  # it is wrong in itself, so it is refused again
        assert json.loads(done.stdout)["outcomes"]["rejected"] == 1
        newest = lines_of(interactions(settings, "dead-letters", "list", "--json"))[-1]
        assert (newest["replays"], newest["original"]) == (tries, dead_letters[0]["original"])
    done = interactions(settings, "dead-letters", "replay", newest["id"])
    assert done.returncode == 1
    assert "replayed 3 times already" in done.stderr
    copy = json.loads(interactions(settings, "dead-letters", "show", newest["id"]).stdout)["record"]
    assert (copy["key"], copy["value"]) == (original["key"], original["value"])


def test_lines_that_cannot_be_sent_do_not_hold_up_the_others(fresh_settings: Settings) -> None:
    entity = "5b1f9f4e-7a30-4a86-8a5f-3d2f1c9e0003"
    good: dict[str, Any] = {
        "specversion": "1.0",
        "id": "c-1",
        "source": "urn:example:test",
        "type": "customers.entity.upsert",
        "tenantid": "0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001",
        "organizationid": "0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0002",
        "entityid": entity,
        "data": {"id": entity, "kind": "company", "displayName": "Amber Mill Foods"},
    }
    lines = [
        "not json: Secret Name",
        json.dumps(good),
        "",
        json.dumps({**good, "entityid": None}),
        json.dumps({**good, "data": {**good["data"], "displayName": "x" * 2_000_000}}),
        json.dumps({"entityid": entity, "hello": "world"}),
        json.dumps(good),
    ]
    with running(fresh_settings, "applier"):
        done = interactions(fresh_settings, "publish", "-", "--json", stdin="\n".join(lines))
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert summary["lines"] == 6
    assert summary["outcomes"] == {"applied": 1, "no_op": 0, "duplicate": 1, "rejected": 1}
    assert summary["notSent"] == 3
    assert [(item["line"], item["code"]) for item in summary["notSentLines"]] == [
        (1, "not_json"),
        (4, "no_entityid"),
        (5, "msg_size_too_large"),
    ]
    assert summary["rejections"][0]["line"] == 6
    assert "Secret" not in done.stdout + done.stderr


def test_without_an_applier_the_outcome_is_unknown_and_nothing_is_claimed(
    fresh_settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "week.jsonl"
    week = [json.dumps(sample.event) + "\n" for sample in week_samples(1, 20, datetime.now(UTC))]
    path.write_text("".join(week))
    done = interactions(fresh_settings, "publish", str(path), "--timeout", "5", "--allow-rejected")
    assert done.returncode == 1
    assert f"The outcome of {len(week)} commands is unknown" in done.stdout.replace("\n", " ")
    done = interactions(fresh_settings, "publish", str(path), "--no-wait", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["accepted"] == len(week)


def test_ctrl_c_tells_what_is_known(fresh_settings: Settings) -> None:
    event = json.dumps(next(iter(week_samples(1, 20, datetime.now(UTC)))).event).encode() + b"\n"
    with running(fresh_settings, "applier"):
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "publish", "-", "--json"],
            env=environment(fresh_settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(event)
        process.stdin.flush()
        # The result exists, so the publisher is running and waits for more input.
        outcome = interactions(
            fresh_settings, "tail", "results", "--from-beginning", "--limit", "1", "--json"
        )
        assert json.loads(outcome.stdout)["headers"]["ce_outcome"] == "applied"
        os.kill(process.pid, signal.SIGINT)
        # The pipe stays open: an interrupted publisher must not wait for end of input.
        assert process.wait(30) == 130
        assert process.stdout is not None
        summary = json.loads(process.stdout.read())
        process.stdin.close()
        process.stdout.close()
    assert summary["interrupted"] is True
    assert summary["lines"] == 1
    assert summary["outcomes"]["applied"] + summary["unknown"] == 1


def test_an_unreachable_broker_is_one_sentence() -> None:
    nowhere = Settings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"),
        kafka_bootstrap_servers="127.0.0.1:1",
        schema_registry_url="http://127.0.0.1:1",
    )
    for arguments in (["publish", "-"], ["next"]):
        done = interactions(nowhere, *arguments)
        assert done.returncode == 75, done.stderr
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) <= 2
        assert done.stderr.startswith("interactions: ")
