"""``interactions backfill`` as an operator runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.settings import Settings
from tests.harness.forked import run
from tests.harness.legacy import plant, plant_all, rows_of
from tests.harness.roles import environment, running
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id, outcomes
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        running(settings, "jobs"),
    ):
        entity = new_id()
        outcomes(
            settings, [event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})]
        )
        plant_all(settings, "customer_activities", [{"entity_id": entity, "subject": "secret"}] * 30)
        plant(settings, "customer_activities", entity_id=entity, activity_type="Call / Email")
        yield settings


def interactions(settings: Settings, *arguments: str, status: int = 0) -> str:
    done = run(list(arguments), environment(settings))
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def count(settings: Settings) -> int:
    number: int = rows_of(settings, "SELECT count(*) FROM customer_interactions")[0][0]
    return number


def test_from_the_dry_run_to_the_rollback(world: Settings) -> None:
    shown = interactions(world, "backfill", "all", "--dry-run")
    assert "31 would be created" in shown
    assert "secret" not in shown
    assert count(world) == 0

    flags = ("flags", "set", "customers.interactions.unified", "on", "--tenant", TENANT)
    refused = interactions(world, *flags, "--organization", ORGANIZATION, status=1)
    assert "legacy_rows_not_validated" in refused

    shown = interactions(world, "backfill", "all", "--tenant", TENANT)
    assert "activity: 31 rows; 31 created" in shown
    assert "interaction_type" in shown
    # The parity check follows by itself.
    assert f"tenant {TENANT}: passed; 31 legacy rows" in shown
    assert count(world) == 31

    interactions(world, *flags, "--organization", ORGANIZATION)

    state: dict[str, Any] = json.loads(
        interactions(world, "backfill", "all", "--tenant", TENANT, "--status", "--json")
    )
    assert (state["state"], state["done"], state["total"]) == ("completed", 31, 31)
    assert state["report"]["activity"]["fields"]["interaction_type"] == {"copied": 30, "normalised": 1}
    refused = interactions(world, "backfill", "all", "--tenant", TENANT, "--pause", status=1)
    assert "completed; it cannot pause" in refused

    again = interactions(world, "backfill", "all", "--tenant", TENANT)
    assert "31 moved before" in again

    shown = interactions(world, "backfill", "rollback", state["id"])
    assert count(world) == 0, shown
    checked = interactions(world, "backfill", "check", status=1)
    assert "activity: rows not moved: 31" in checked


def test_there_must_be_such_a_job(world: Settings) -> None:
    assert "There is no backfill" in interactions(world, "backfill", "rollback", new_id(), status=1)
    assert "no backfill of todos" in interactions(world, "backfill", "todos", "--status", status=1)
