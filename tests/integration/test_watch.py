"""The watch notices violations within a minute, publishes each once, and reports none that is not there."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from runtime.crash_points import WATCH_POINTS
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.topics import INTEGRITY_EVENTS
from stack.ports import free_port
from streams.lag import lag_by_role
from tests.harness.forked import run
from tests.harness.load import Load
from tests.harness.roles import Role, environment, running, wait_until
from tests.harness.signal_story import Story
from tests.harness.topic_reader import Received, read_topic
from tests.harness.wire import decoder, event, new_id, outcomes, publish, wait_for_results
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
#: The promise: a violation is noticed within this time.
_MINUTE = 60.0
_AFTER, _BEFORE = sorted(WATCH_POINTS)
Key = tuple[str, str, str]


@pytest.fixture(scope="module")
def applied(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """A world with an applier."""
    with own_world(embedded_stack, template_database) as settings, running(settings, "applier"):
        yield settings


@pytest.fixture
def database(applied: Settings) -> Iterator[Connection]:
    with connect(applied, application_name="test", autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # what the constraints would refuse
        yield connection


@contextlib.contextmanager
def watching(settings: Settings, **extra: str) -> Iterator[tuple[Role, str]]:
    """Run the watch; yield it with its address."""
    port = str(free_port())
    with running(settings, "watch", INTERACTIONS_HEALTH_PORT=port, **extra) as role:
        yield role, f"http://127.0.0.1:{port}"


def apply(settings: Settings, *stories: Story) -> None:
    messages = [message for story in stories for message in story.messages]
    assert {result["outcome"] for result in outcomes(settings, messages)} == {"applied"}


def held(connection: Connection) -> set[Key]:
    """Open violations: check, subject and its id."""
    rows = connection.execute(
        "SELECT check_name, subject, subject_id::text FROM integrity_violations WHERE healed_at IS NULL"
    )
    return {(row[0], row[1], row[2]) for row in rows}


def wait_for(connection: Connection, expected: set[Key]) -> None:
    wait_until(lambda: held(connection) == expected, _MINUTE, lambda: f"{held(connection)} is not {expected}")


def events(settings: Settings) -> list[tuple[Received, dict[str, Any]]]:
    decode = decoder(settings).decode
    return [(record, decode(record.value or b"")[1]) for record in read_topic(settings, INTEGRITY_EVENTS)]


def caught_up(settings: Settings) -> None:
    """Wait until a running watch has compared the whole journal with its rows."""
    wait_until(lambda: lag_by_role(settings)["watch"] == 0, 30, lambda: str(lag_by_role(settings)))


def test_damage_is_noticed_within_a_minute_and_leaves_the_red_when_it_is_healed(
    applied: Settings, database: Connection
) -> None:
    stories = without, stolen, foreign, orphaned, drifted, waiting = [Story() for _ in range(6)]
    drafts = [story.resolve(story.signals[0]) for story in (without, stolen, foreign)]
    waiting.add("signal.resolve", {"id": waiting.signals[0], "channel": "email"})
    apply(applied, *stories)
    with watching(applied):
        caught_up(applied)
    lost = new_id()
    done = {"id": lost, "interactionType": "call", "occurredAt": "2026-01-05T09:00:00Z"}
    create = event("interaction.create", drifted.ada, done)
    assert outcomes(applied, [create])[0]["outcome"] == "applied"
    for table in ("customer_entities", "customer_interactions", "signals", "generated_drafts"):
        database.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
    # While no watch runs; the next one continues where this one ended.
    database.execute("DELETE FROM customer_interactions WHERE id = %s", (lost,))

    with watching(applied) as (role, url):
        for statement, identity in (
            ("DELETE FROM generated_drafts WHERE id = %s", drafts[0]),
            ("UPDATE generated_drafts SET user_id = 'bob' WHERE id = %s", drafts[1]),
            ("UPDATE generated_drafts SET tenant_id = gen_random_uuid() WHERE id = %s", drafts[2]),
            ("DELETE FROM customer_interactions WHERE id = %s", orphaned.call),
            ("UPDATE customer_entities SET open_count = 7 WHERE id = %s", drifted.ada),
            (
                "UPDATE signals SET requested_at = now() - interval '1 day' WHERE id = %s",
                waiting.signals[0],
            ),
        ):
            database.execute(statement, (identity,))
        expected = {
            ("A14", "interaction", lost),
            ("A11", "signal", without.signals[0]),
            ("A12", "draft", drafts[1]),
            ("A12", "draft", drafts[2]),
            ("A3", "customer", orphaned.ada),
            *(("A13", "signal", identity) for identity in orphaned.signals),
            ("A3", "customer", drifted.ada),
            ("A15", "signal", waiting.signals[0]),
        }
        wait_for(database, expected)
        wait_until(lambda: len(events(applied)) == len(expected), 20)
        _check_events(events(applied), expected)
        _check_metrics(url, {"A3": 2, "A11": 1, "A12": 2, "A13": 3, "A14": 1, "A15": 1})
        wait_until(lambda: role.log.count("watch.violated") == len(expected), 20, lambda: role.log[-3000:])
        assert "Ada" not in role.log
        _check_status_in_red(applied, len(expected))

        with database.transaction():
            for table in ("customer_interactions", "generated_drafts", "signals", "customer_entities"):
                database.execute(f"DELETE FROM {table}")
                database.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
        wait_for(database, set())
        wait_until(lambda: role.log.count("watch.healed") == len(expected), 20, lambda: role.log[-3000:])
        _check_metrics(url, dict.fromkeys(("A3", "A11", "A12", "A13", "A14", "A15"), 0))
        shown = run(["status"], environment(applied))
        assert "violation" not in shown.stdout, shown.stdout
        assert len(events(applied)) == len(expected)


def _check_events(found: list[tuple[Received, dict[str, Any]]], expected: set[Key]) -> None:
    assert {(value["check"], value["subject"], value["subjectId"]) for _, value in found} == expected
    assert len({record.headers["ce_id"] for record, _ in found}) == len(expected)
    for record, value in found:
        assert record.headers["ce_type"] == "customers.integrity.violated"
        assert record.headers["content-type"] == "application/avro"
        assert record.key is not None
        assert record.key.decode() == record.headers["ce_entityid"] == value["entityId"]
        assert record.headers["ce_tenantid"] == value["tenantId"]


def _check_metrics(url: str, counts: dict[str, int]) -> None:
    lines = [f'interactions_integrity_violations{{check="{name}"}} {n}.0' for name, n in counts.items()]
    text = ""

    def shown() -> bool:
        nonlocal text
        text = httpx2.get(f"{url}/metrics", trust_env=False).text
        return all(line in text for line in lines)

    wait_until(shown, 20, lambda: text)
    for name in ("sweep_age_seconds", "behind_seconds", "behind_entries", "busy_seconds_total"):
        assert f"interactions_integrity_{name}" in text
    assert httpx2.get(f"{url}/readyz", trust_env=False).status_code == 200


def _check_status_in_red(settings: Settings, total: int) -> None:
    shown = run(["status"], environment(settings))
    assert shown.returncode == 1
    assert f"integrity: {total} violations (A3 2, A11 1, A12 2, A13 3, A14 1, A15 1)" in shown.stdout
    found = json.loads(run(["status", "--json"], environment(settings)).stdout)["integrity"]
    assert found["violations"] == {"A3": 2, "A11": 1, "A12": 2, "A13": 3, "A14": 1, "A15": 1}
    assert len(found["first"]) == 3


@pytest.mark.parametrize("point", [_BEFORE, pytest.param(_AFTER, marks=pytest.mark.long)])
def test_a_killed_watch_publishes_a_violation_once(
    applied: Settings, database: Connection, point: str
) -> None:
    story = Story()
    apply(applied, story)
    database.execute("UPDATE customer_entities SET done_count = 5 WHERE id = %s", (story.ada,))
    armed = {"INTERACTIONS_TEST_BUILD": "1", "INTERACTIONS_CRASH_POINT": point}
    with running(applied, "watch", **armed) as victim:
        assert victim.wait_for_exit() == -signal.SIGKILL
    assert held(database) == {("A3", "customer", story.ada)}

    def published() -> bool:
        return not database.execute(
            "SELECT FROM integrity_violations WHERE published_at IS NULL AND healed_at IS NULL"
        ).fetchall()

    assert not published()
    with watching(applied):
        wait_until(published, _MINUTE)
        mine = [record for record, value in events(applied) if value["entityId"] == story.ada]
        assert len({record.headers["ce_id"] for record in mine}) == 1
        assert len(mine) == (2 if point == _AFTER else 1)
        database.execute("UPDATE customer_entities SET done_count = 0 WHERE id = %s", (story.ada,))
        wait_for(database, set())


def test_nothing_is_reported_under_load_with_rebalances_and_restarts(fresh_settings: Settings) -> None:
    settings = fresh_settings.model_copy(update={"batch_size": 100})
    with connect(settings, application_name="test", autocommit=True) as connection:
        with running(settings, "applier"), contextlib.ExitStack() as second, contextlib.ExitStack() as watch:
            applier = second.enter_context(running(settings, "applier"))
            first, _ = watch.enter_context(watching(settings, INTERACTIONS_WATCH_SHARE="0.5"))
            with Load(settings, seed=7, pace=500.0, total=3000, entities=60) as load:
                places = []
                for number in range(12):
                    story = Story(f"story-{number}")
                    story.everything()
                    places += publish(settings, story.messages)
                    if number == 3:
                        applier.kill()
                        second.enter_context(running(settings, "applier"))
                    elif number == 6:
                        first.kill()
                        watch.enter_context(watching(settings, INTERACTIONS_WATCH_SHARE="0.5"))
                assert load.done.wait(60)
            wait_for_results(settings, places)
            wait_until(lambda: lag_by_role(settings)["applier"] == 0, 60)
            caught_up(settings)
            since = _one(connection, "SELECT clock_timestamp()")
            swept = "SELECT coalesce(complete_began_at > %s, false) FROM watch_progress"
            wait_until(lambda: _one(connection, swept, since), _MINUTE)
        assert _one(connection, "SELECT count(*) FROM journal WHERE outcome = 'applied'") > 1500
        assert connection.execute("SELECT check_name, what FROM integrity_violations").fetchall() == []


def _one(connection: Connection, statement: str, *values: Any) -> Any:
    row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return row[0]
