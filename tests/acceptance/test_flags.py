"""Feature flags in the CLI: listed with their defaults, set by command, audited."""

from __future__ import annotations

import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from sinks.backfill import mark_validated
from sinks.due import server_time
from sinks.legacy_tables import lift_freeze
from tests.acceptance.test_publish import interactions, lines_of
from tests.harness.audit import assert_clean
from tests.harness.roles import running
from tests.harness.wire import ORGANIZATION, TENANT, new_id

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
UNIFIED, ADAPTERS, SYNC = (
    f"customers.interactions.{name}" for name in ("unified", "legacy-adapters", "external-sync")
)


def listed(settings: Settings) -> dict[str, tuple[bool, bool]]:
    rows = lines_of(interactions(settings, "flags", "list", "--tenant", TENANT, "--json"))
    return {row["flag"]: (row["enabled"], row["chosen"]) for row in rows}


def test_flags_are_listed_and_set(fresh_settings: Settings) -> None:
    assert listed(fresh_settings) == {UNIFIED: (True, False), ADAPTERS: (True, False), SYNC: (False, False)}
    with connect(fresh_settings, application_name="test") as connection:
        lift_freeze(connection)
        connection.execute(
            "INSERT INTO customer_activities (id, organization_id, tenant_id, entity_id, activity_type,"
            " created_at, updated_at)"
            " VALUES (gen_random_uuid(), %s, %s, gen_random_uuid(), 'call', now(), now())",
            (ORGANIZATION, TENANT),
        )
    # Before the migration: rows that are only in the legacy tables must stay visible.
    assert listed(fresh_settings)[UNIFIED] == (False, False)
    scope = ("--tenant", TENANT, "--organization", ORGANIZATION)
    with running(fresh_settings, "applier"):
        # Nor can they be hidden, before a parity check has passed.
        refused = interactions(fresh_settings, "flags", "set", UNIFIED, "on", *scope)
        assert refused.returncode == 1
        assert "legacy_rows_not_validated" in refused.stdout
        with connect(fresh_settings, application_name="test") as connection:
            mark_validated(connection, TENANT, new_id(), server_time(connection))
        for flag, value in ((UNIFIED, "on"), (SYNC.replace("-", "_"), "on"), (ADAPTERS, "off")):
            done = interactions(fresh_settings, "flags", "set", flag, value, *scope)
            assert done.returncode == 0, done.stderr
        assert listed(fresh_settings) == {UNIFIED: (True, True), ADAPTERS: (False, True), SYNC: (True, True)}
        done = interactions(fresh_settings, "flags", "set", SYNC, "on", *scope, "--json")
        assert '"no_op": 1' in done.stdout
        assert_clean(fresh_settings)
    unknown = interactions(fresh_settings, "flags", "set", "customers.interactions.nope", "on", *scope)
    assert unknown.returncode == 1
    assert UNIFIED in unknown.stderr
