"""`interactions recompute` and `interactions jobs`, as their users run them; a killed job resumes."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from sinks.jobs.store import create_job, find_job
from tests.harness.forked import run, start
from tests.harness.roles import environment, running, wait_until
from tests.harness.wire import event, new_id, outcomes
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
_COUNT = 240


@pytest.fixture(scope="module")
def tenant() -> str:
    return new_id()


@pytest.fixture(scope="module")
def applied(embedded_stack: Settings, template_database: str, tenant: str) -> Iterator[Settings]:
    """A world with an applier and some customers with a call each, of two tenants."""
    with own_world(embedded_stack, template_database) as settings, running(settings, "applier"):
        messages = []
        for number in range(_COUNT):
            entity, scope = new_id(), {"tenant": tenant if number % 2 else new_id()}
            person = {"id": entity, "kind": "person", "displayName": "A"}
            call = {"interactionType": "call", "scheduledAt": "2031-01-01T09:00:00Z"}
            messages.append(event("entity.upsert", entity, person, **scope))
            messages.append(event("interaction.create", entity, call, **scope))
        assert {it["outcome"] for it in outcomes(settings, messages)} == {"applied"}
        with connect(settings, application_name="test", autocommit=True) as connection:
            # Not due during these tests: it would repair what they damage.
            connection.execute(
                "INSERT INTO job_schedules (name, due_at) VALUES ('reconcile', now() + interval '10 minutes')"
            )
        yield settings


@pytest.fixture
def connection(applied: Settings) -> Iterator[Connection]:
    with connect(applied, application_name="test", autocommit=True) as opened:
        yield opened


def interactions(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    done = run(list(arguments), environment(settings))
    return done.returncode, done.stdout, done.stderr


def job_of(settings: Settings, *arguments: str) -> dict[str, Any]:
    code, out, error = interactions(settings, *arguments, "--json")
    assert code == 0, error
    found: dict[str, Any] = json.loads(out)
    return found


def wrong(connection: Connection, tenant: str | None = None) -> int:
    row = connection.execute(
        "SELECT count(*) FROM customer_entities WHERE open_count <> 1"
        " AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s::uuid)",
        {"tenant": tenant},
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_tenant_is_recomputed_and_counted(applied: Settings, connection: Connection, tenant: str) -> None:
    connection.execute("UPDATE customer_entities SET open_count = 5 WHERE id::text < '8'")
    elsewhere = wrong(connection) - wrong(connection, tenant)
    damaged = wrong(connection, tenant)
    assert damaged
    assert elsewhere
    with running(applied, "jobs"):
        job = job_of(applied, "recompute", "--tenant", tenant)
    assert (job["state"], job["done"], job["total"]) == ("completed", _COUNT // 2, _COUNT // 2)
    assert job["report"]["customers"] == {
        "checked": _COUNT // 2,
        "corrected": damaged,
        "alreadyRight": _COUNT // 2 - damaged,
    }
    assert wrong(connection, tenant) == 0
    assert wrong(connection) == elsewhere, "another tenant is left alone"


def test_a_killed_job_resumes_and_applies_each_command_once(
    applied: Settings, connection: Connection
) -> None:
    connection.execute("UPDATE customer_entities SET open_count = 5")
    job_id = job_of(applied, "recompute", "--all", "--detach")["jobId"]
    again = job_of(applied, "recompute", "--all", "--detach")
    assert again == {"jobId": job_id, "created": False}, "one job does it"
    done = 0
    while done < _COUNT:
        with running(applied, "jobs") as role:

            def moved(before: int = done) -> bool:
                job = find_job(connection, job_id)
                assert job is not None
                return job.done > before

            wait_until(moved, 60)
            role.kill()
        job = find_job(connection, job_id)
        assert job is not None
        done = job.done
    with running(applied, "jobs"):
        code, out, error = interactions(applied, "jobs", "show", job_id, "--follow", "--json")
        assert code == 0, error
    report = json.loads(out)["report"]["customers"]
    assert report == {"checked": _COUNT, "corrected": _COUNT, "alreadyRight": 0}
    assert wrong(connection) == 0
    applied_ids = connection.execute(
        "SELECT command_id FROM journal WHERE correlation_id = %s", (job_id,)
    ).fetchall()
    assert max(Counter(applied_ids).values()) == 1
    assert len(applied_ids) == _COUNT


def test_one_customer_is_recomputed_at_once(applied: Settings, connection: Connection) -> None:
    row = connection.execute("UPDATE customer_entities SET open_count = 9 RETURNING id::text").fetchone()
    assert row is not None
    report = job_of(applied, "recompute", "--entity", row[0])
    assert report["outcomes"]["applied"] == 1
    assert job_of(applied, "recompute", "--entity", row[0])["outcomes"]["no_op"] == 1
    code, _, error = interactions(applied, "recompute", "--entity", new_id())
    assert (code, "There is no customer" in error) == (1, True)
    assert interactions(applied, "recompute")[0] == 2
    assert interactions(applied, "recompute", "--all", "--entity", row[0])[0] == 2


def test_jobs_are_listed_paused_resumed_and_canceled(applied: Settings, connection: Connection) -> None:
    job_id = new_id()
    create_job(connection, job_id, "recompute")
    assert "waiting" in interactions(applied, "jobs", "show", job_id)[1]
    assert job_of(applied, "jobs", "pause", job_id)["state"] == "paused"
    assert job_of(applied, "jobs", "pause", job_id)["state"] == "paused"
    listed = interactions(applied, "jobs", "list", "--state", "paused", "--json")[1]
    assert [json.loads(line)["id"] for line in listed.splitlines()] == [job_id]
    code, out, _ = interactions(applied, "jobs", "show", job_id, "--follow")
    assert (code, "Paused by an operator" in out) == (1, True)
    assert job_of(applied, "jobs", "resume", job_id)["state"] == "waiting"
    assert job_of(applied, "jobs", "cancel", job_id)["state"] == "canceled"
    code, _, error = interactions(applied, "jobs", "resume", job_id)
    assert code == 1
    assert "The job is canceled, so it cannot be resumed" in error
    for arguments in (("show", new_id()), ("pause", new_id())):
        code, _, error = interactions(applied, "jobs", *arguments)
        assert (code, "There is no job" in error) == (1, True)
    assert interactions(applied, "jobs", "list", "--state", "asleep")[0] == 2
    assert job_id in interactions(applied, "jobs", "list")[1]


def test_following_says_that_no_role_runs_and_ctrl_c_leaves_the_job(
    applied: Settings, connection: Connection, tmp_path: Path
) -> None:
    job_id, output = new_id(), tmp_path / "output"
    create_job(connection, job_id, "recompute")
    output.touch()
    following = start(["jobs", "show", job_id, "--follow"], environment(applied), output=output)
    wait_until(lambda: "No jobs role is running" in output.read_text(), 30, output.read_text)
    assert "interactions run jobs" in output.read_text()
    assert "0 %" not in output.read_text(), "the total is unknown"
    following.send_signal(signal.SIGINT)
    assert following.wait(30) == 130
    assert f"interactions jobs show {job_id} --follow" in output.read_text()
    job = find_job(connection, job_id)
    assert job is not None
    assert job.state == "waiting"
    connection.execute("DELETE FROM jobs WHERE id = %s", (job_id,))


def test_a_recurring_job_that_runs_already_is_no_error(applied: Settings, connection: Connection) -> None:
    first = job_of(applied, "jobs", "run", "reconcile", "--detach")
    assert first["alreadyRunningSince"] is None
    second = job_of(applied, "jobs", "run", "reconcile", "--detach")
    assert second["jobId"] == first["jobId"]
    assert second["alreadyRunningSince"] is not None
    code, out, _ = interactions(applied, "jobs", "run", "reconcile")
    assert (code, "already running" in out) == (0, True)
    assert interactions(applied, "jobs", "run", "nothing")[0] == 2
    with running(applied, "jobs", INTERACTIONS_RECONCILE_SHARE="1"):
        code, out, error = interactions(applied, "jobs", "show", first["jobId"], "--follow", "--json")
        assert code == 0, error
        wait_until(lambda: '"completed"' in interactions(applied, "jobs", "schedules", "--json")[1], 30)
    assert json.loads(out)["report"]["compared"] == _COUNT
    assert "reconcile" in interactions(applied, "jobs", "schedules")[1]
