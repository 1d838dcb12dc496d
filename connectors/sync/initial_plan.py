"""Initial plan: count what a first sync would create, link, import or skip before it writes anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from connectors.sdk.remote import RemoteChange
from connectors.store.checkpoints import write_checkpoint
from connectors.store.integrations import set_state
from connectors.store.interactions import interaction_pages
from connectors.store.ledger_marks import LocalMark, mark_local
from connectors.store.mappings import mapping_of, mapping_to
from connectors.store.warnings import close_warnings_of_kind
from connectors.sync.adoption import owner_of
from connectors.sync.listing import Listing, deleted_mirrors_in
from connectors.sync.mass_change_guard import confirm_deletions, count_deletions, exceeds_limit, explain
from connectors.sync.pages import every_page
from connectors.sync.poller import cursor_job
from connectors.sync.record_changes import record_changes
from connectors.sync.session import Session
from runtime.postgres import Connection
from schemas.errors import Reject


@dataclass(slots=True)
class InitialPlan:
    """Dry run of the first sync.

    :ivar here: interactions by planned action: ``create``, ``mirrored``, ``skip: <reason>``.
    :ivar there: remote objects by planned action: ``import``, ``mirrored``, ``link``, ``skip: <reason>``.
    :ivar deleted: mirrors whose object no longer exists at the provider.
    """

    here: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    cursor: str | None = None
    changes: list[RemoteChange] = field(default_factory=list)
    deleted: int = 0

    def to_json(self) -> dict[str, Any]:
        """Counts per action, as printed by the CLI."""
        return {"interactions": dict(self.here), "objects": dict(self.there)}


def make_plan(session: Session, connection: Connection) -> InitialPlan:
    """Read both sides and count; writes nothing.

    :raises InteractionsError: raised by the provider.
    :raises Retry: the provider announces more changes, but its cursor is stuck.
    """
    integration, plan = session.integration, InitialPlan()
    known: set[str] = set()
    for page in interaction_pages(connection, integration.tenant_id, integration.organization_id):
        for subject in page:
            known.add(subject.id)
            if mapping_of(connection, integration.id, subject.id) is not None:
                plan.here["mirrored"] += 1
            elif (
                session.policy.only_types
                and subject.values["interaction_type"] not in session.policy.only_types
            ):
                plan.here["skip: type not in the policy"] += 1
            elif subject.values["status"] != "planned" and not session.declaration.mirrors_closed:
                plan.here["skip: done or canceled already"] += 1
            else:
                plan.here["create"] += 1
    listing = Listing.begin(connection)
    for listed in every_page(session) if "poll" in session.declaration.features else ():
        listing.add(listed)
        plan.cursor = listed.cursor
        for reason, count in listed.skip_counts.items():
            plan.there[f"skip: {reason}"] += count
        for change in listed.changes:
            plan.there[_action(session, connection, change, known)] += 1
            plan.changes.append(change)
    plan.changes += listing.inferred_changes(session, connection)
    plan.deleted = deleted_mirrors_in(session, connection, plan.changes)
    if plan.deleted:
        plan.there["deleted mirrors"] = plan.deleted
    return plan


def _action(session: Session, connection: Connection, change: RemoteChange, known: set[str]) -> str:
    if change.kind == "gone":
        return "skip: deleted"
    mapping = mapping_to(connection, session.integration.id, change.external_id)
    if mapping is not None and mapping.base is not None:
        return "mirrored"
    marker = change.state.marker if change.state is not None else None
    if marker is not None and owner_of(session, connection, marker) in known:
        return "link"
    return "import" if session.policy.create_if_unmapped else "skip: the policy imports nothing"


def apply_plan(
    session: Session, connection: Connection, plan: InitialPlan, *, accept_mass_change: bool = False
) -> int:
    """Mark everything that the plan counted and activate the integration.

    :param accept_mass_change: a person has confirmed the number of deletions.
    :return: number of interactions marked.
    :raises Reject: ``mass_change``: the mass-change guard holds the deletions back; nothing was marked.
    """
    integration, marked = session.integration, 0
    counted = count_deletions(session, connection, plan.deleted)
    if not accept_mass_change and exceeds_limit(session, counted):
        raise Reject("mass_change", explain(session, counted), status=409)
    with connection.transaction():
        if accept_mass_change:
            confirm_deletions(session, connection, plan.deleted)
        if plan.cursor is not None:
            record_changes(session, connection, plan.changes)
            write_checkpoint(
                connection,
                cursor_job(integration.id),
                integration.tenant_id,
                integration.organization_id,
                {"cursor": plan.cursor},
            )
        for page in interaction_pages(connection, integration.tenant_id, integration.organization_id):
            marks = [
                LocalMark(
                    integration_id=integration.id,
                    interaction_id=subject.id,
                    tenant_id=subject.tenant_id,
                    organization_id=subject.organization_id,
                    entity_id=subject.entity_id,
                    version=subject.version,
                )
                for subject in page
            ]
            marked += mark_local(connection, marks, session.now())
        set_state(connection, integration.id, "active", None)
        close_warnings_of_kind(connection, integration.id, ["brake", "auth", "disabled"])
    return marked
