"""Routes of the pages, one module per page."""

from __future__ import annotations

from typing import Final

from web.routes import (
    customers,
    dashboard,
    dead_letters,
    drafts,
    integration_actions,
    integration_setup,
    integrations,
    interaction_page,
    interaction_types,
    interactions,
    operations,
    reference,
    settings,
    signals,
    task_actions,
    task_jobs,
    task_run,
    tasks,
)

#: In the order of the route table: a fixed path comes before one with a parameter.
MODULES: Final = (
    dashboard,
    tasks,
    task_run,
    task_jobs,
    task_actions,
    customers,
    interactions,
    interaction_page,
    signals,
    drafts,
    integration_setup,
    integrations,
    integration_actions,
    operations,
    dead_letters,
    settings,
    interaction_types,
    reference,
)
