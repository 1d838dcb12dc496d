"""``interactions connectors plan`` and ``sync``: preview and confirm the first sync."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.connectors.common import AsJson, Id, database, get_integration, print_json
from cli.connectors.options import secret_box
from cli.console import console, table
from runtime.settings import load_settings
from schemas.errors import Stop

if TYPE_CHECKING:
    from connectors.sync.inbound_commands import InboundCommand
    from connectors.sync.session import Session
    from runtime.postgres import Connection

SYNC_HELP = (
    "Confirm the plan: mark every interaction for sync and activate the integration.\n\n"
    "On an active integration it starts a full sync again."
)


def plan(identity: Id, *, as_json: AsJson = False) -> None:
    """Preview the first sync; writes nothing."""
    from connectors.sync.initial_plan import make_plan

    with _open_session(identity) as (session, connection):
        found = make_plan(session, connection)
    if as_json:
        print_json(found.to_json())
        return
    rows = table(f"First sync of {identity}")
    for name in ("side", "action", "count"):
        rows.add_column(name)
    for side, counts in (("interactions", found.here), ("provider objects", found.there)):
        for action, count in sorted(counts.items()):
            rows.add_row(side, action, str(count))
    console().print(rows)
    console().print(f"Nothing was written. To start the sync: interactions connectors sync {identity}")


def sync(
    identity: Id,
    *,
    accept_mass_change: Annotated[
        bool,
        typer.Option(
            "--accept-mass-change", help="The deletions found at the provider are intended; apply them."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Confirm the plan and activate the integration."""
    from connectors.sync.initial_plan import apply_plan, make_plan
    from connectors.sync.poller import poll
    from schemas.flags import EXTERNAL_SYNC
    from sinks.flags import flags_of

    with _open_session(identity) as (session, connection):
        if session.integration.state == "disabled":
            raise Stop(
                f"{identity} is disabled: {session.integration.state_reason}. Nothing was changed."
                f" First: interactions connectors resume {identity}"
            )
        if accept_mass_change:
            poll(session, connection, accept_mass_change=True)
        found = make_plan(session, connection)
        marked = apply_plan(session, connection, found, accept_mass_change=accept_mass_change)
        switched_on = flags_of(connection, session.integration.tenant_id)[EXTERNAL_SYNC].enabled
    if as_json:
        print_json({**found.to_json(), "marked": marked, "switchedOn": switched_on})
    else:
        console().print(
            f"{identity} is active; {marked} interactions are queued for sync."
            f" Follow it with: interactions connectors status {identity}"
        )
    if not switched_on:
        owner = (
            f"--tenant {session.integration.tenant_id} --organization {session.integration.organization_id}"
        )
        raise Stop(
            f"The flag {EXTERNAL_SYNC} is off for this tenant, so nothing is mirrored yet."
            f" Turn it on with: interactions flags set {EXTERNAL_SYNC} on {owner}"
        )


@contextlib.contextmanager
def _open_session(identity: str) -> Iterator[tuple[Session, Connection]]:
    """A provider session that reads and marks, and never publishes a command."""
    from connectors.service.open_session import open_session

    def send(commands: Sequence[InboundCommand]) -> None:
        raise Stop(
            f"{len(commands)} commands were to be published, which only the connectors role does."
            " Nothing was sent."
        )

    with database() as connection:
        integration = get_integration(connection, identity)
        opened = open_session(load_settings(), integration, secret_box(), send)
        try:
            yield opened.session, connection
        finally:
            opened.close()
