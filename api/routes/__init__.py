"""The routes, one module per resource, each with a ``router``."""

from __future__ import annotations

from typing import Any, Final

from api.routes import (
    activities,
    bulk_jobs,
    commands,
    companies,
    dead_letters,
    deals,
    drafts,
    explain,
    flags,
    generated_drafts,
    health,
    integration_ledger,
    integration_operations,
    integration_views,
    integration_warnings,
    integrations,
    interaction_fix,
    interaction_types,
    interactions,
    jobs,
    migration_page,
    operations,
    people,
    signals,
    stream,
    todos,
    undo,
    widgets,
)

#: In the order of the OpenAPI document. A module may have ``extra_headers(settings)``, which maps a path
#: prefix to headers of every response under it.
MODULES: Final[tuple[Any, ...]] = (
    interactions,
    interaction_fix,
    signals,
    drafts,
    people,
    companies,
    explain,
    deals,
    interaction_types,
    widgets,
    activities,
    todos,
    generated_drafts,
    migration_page,
    flags,
    integration_warnings,
    integration_views,
    integration_ledger,
    integration_operations,
    integrations,
    bulk_jobs,
    jobs,
    dead_letters,
    operations,
    commands,
    undo,
    stream,
    health,
)
