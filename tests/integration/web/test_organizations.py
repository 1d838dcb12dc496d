"""Organizations that ``interactions open`` can choose from."""

from __future__ import annotations

import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from sinks.organizations import organizations
from tests.harness.wire import ORGANIZATION, TENANT, new_id

pytestmark = pytest.mark.integration


def test_each_organization_with_customers_is_listed_once(fresh_database: Settings) -> None:
    other = new_id()
    with connect(fresh_database, application_name="test") as connection:
        assert organizations(connection, 2) == []
        for organization in (ORGANIZATION, ORGANIZATION, other):
            connection.execute(
                "INSERT INTO customer_entities (id, tenant_id, organization_id, kind, display_name,"
                " entity_version, open_count, overdue_count, done_count, created_at, updated_at)"
                " VALUES (%s, %s, %s, 'person', 'Erika', 1, 0, 0, 0, now(), now())",
                [new_id(), TENANT, organization],
            )
        assert sorted(organizations(connection, 3)) == sorted([(TENANT, ORGANIZATION), (TENANT, other)])
        assert len(organizations(connection, 1)) == 1
