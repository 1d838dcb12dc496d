"""Query behind ``interactions next``: reads the stored projection and recomputes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from runtime.postgres import make_engine
from runtime.settings import Settings
from sinks.tables import entities, interactions

_SECONDS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRow:
    """One customer and its next interaction.

    :param owner_user_id: owner of the next interaction, otherwise of the customer.
    :param overdue: the next interaction was overdue at the time of the query.
    :param overdue_count: planned interactions that were overdue at the time of the query.
    """

    tenant_id: str
    organization_id: str
    entity_id: str
    display_name: str
    interaction_id: str
    interaction_type: str
    name: str
    title: str | None
    at: datetime
    icon: str | None
    color: str | None
    owner_user_id: str | None
    open_count: int
    overdue_count: int
    overdue: bool


def next_interactions(
    settings: Settings,
    *,
    now: datetime,
    limit: int = 50,
    overdue_only: bool = False,
    tenant_id: str | None = None,
    organization_id: str | None = None,
) -> list[NextRow]:
    """Customers with a next interaction, soonest first.

    Hazard: without ids it reads across all tenants. It is for operators; a gateway must pass both ids.

    :param now: earlier interactions are overdue; timezone-aware.
    :raises Retry: the database is unavailable.
    """
    statement = _statement(now, limit, overdue_only, tenant_id, organization_id)
    engine = make_engine(settings, application_name="interactions-next", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("SET TRANSACTION READ ONLY"))
        connection.execute(sa.text(f"SET LOCAL statement_timeout = '{_SECONDS}s'"))
        return [NextRow(**row) for row in connection.execute(statement).mappings()]


def _statement(
    now: datetime, limit: int, overdue_only: bool, tenant_id: str | None, organization_id: str | None
) -> sa.Select[Any]:
    at = entities.c.next_interaction_at
    planned = interactions.alias("planned")
    overdue_count = (
        sa.select(sa.func.count())
        .where(
            planned.c.entity_id == entities.c.id,
            planned.c.status == "planned",
            planned.c.scheduled_at < now,
        )
        .scalar_subquery()
    )
    statement = (
        sa.select(
            entities.c.tenant_id,
            entities.c.organization_id,
            entities.c.id.label("entity_id"),
            entities.c.display_name,
            entities.c.next_interaction_ref_id.label("interaction_id"),
            interactions.c.interaction_type,
            entities.c.next_interaction_name.label("name"),
            interactions.c.title,
            at.label("at"),
            entities.c.next_interaction_icon.label("icon"),
            entities.c.next_interaction_color.label("color"),
            sa.func.coalesce(interactions.c.owner_user_id, entities.c.owner_user_id).label("owner_user_id"),
            entities.c.open_count,
            overdue_count.label("overdue_count"),
            (at < now).label("overdue"),
        )
        .join(interactions, interactions.c.id == entities.c.next_interaction_ref_id)
        .where(at.is_not(None))
        .order_by(at, entities.c.id)
        .limit(limit)
    )
    if overdue_only:
        statement = statement.where(at < now)
    if tenant_id is not None:
        statement = statement.where(entities.c.tenant_id == tenant_id)
    if organization_id is not None:
        statement = statement.where(entities.c.organization_id == organization_id)
    return statement
