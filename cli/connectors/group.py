"""``interactions connectors``: integrations, what they have to do, and what waits for a person."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from cli.connectors.change import HELP as CHANGE_HELP
from cli.connectors.change import change
from cli.connectors.options import integration_id, pairs, secret_box, settings_of
from cli.connectors.remove import HELP as REMOVE_HELP
from cli.connectors.remove import remove
from cli.connectors.restore import HELP, restore
from cli.console import console, table
from cli.relative_times import relative
from runtime.settings import load_settings
from schemas.errors import Reject, Stop
from schemas.instants import format_instant

if TYPE_CHECKING:
    from connectors.store.integrations import Integration
    from connectors.store.warnings import SyncWarning
    from connectors.sync.commands import PulledCommand
    from connectors.sync.session import Session
    from runtime.postgres import Connection

_EXAMPLES = """
[bold]Examples[/bold]

  interactions connectors add trello --tenant … --organization … --set board_id=… \
--secret api_key=@key.txt --secret token=@token.txt

  interactions connectors set trello-1f2e3d4c --secret token=@token.txt

  interactions connectors plan trello-1f2e3d4c     what a first run would do; writes nothing

  interactions connectors sync trello-1f2e3d4c     do it, and go on from there

  interactions connectors warnings                 what waits for a person

  interactions connectors retry --all --integration trello-1f2e3d4c
"""
_ADD_HELP = (
    "Add an integration. It does nothing until its plan is confirmed with `sync`.\n\n"
    "Secrets come from a file or a variable (--secret token=@file, --secret token=env:NAME), never from "
    "the command line, and are kept encrypted under INTERACTIONS_SECRETS_KEY."
)
_RETRY_HELP = (
    "Try failed items again, or decide conflicts.\n\n"
    "--take local keeps the value of this side, --take remote that of the provider; without it, items "
    "that were given up are tried again. Name warnings by their ids, or all of them with --all; then items "
    "that wait for a later try are due at once, too.\n\n"
    "Exit status: 0 at least one warning or item took it; 1 none did."
)
#: Characters of a value in a table.
_MOST_SHOWN = 120
Id = Annotated[str, typer.Argument(help="The integration's id, as the list shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Tenant = Annotated[UUID | None, typer.Option(help="Only this tenant's.")]


def register(app: typer.Typer) -> None:
    """Add ``connectors``."""
    group = typer.Typer(
        name="connectors",
        help="Mirror interactions to other systems: set up, watch, decide.",
        epilog=_EXAMPLES,
        no_args_is_help=True,
    )
    group.command("providers", help="Show what can be connected, and the settings that each needs.")(
        providers
    )
    group.command("list", help="List integrations and their states.")(list_all)
    group.command("add", help=_ADD_HELP, epilog=_EXAMPLES)(add)
    group.command("set", help=CHANGE_HELP)(change)
    group.command("remove", help=REMOVE_HELP)(remove)
    group.command("plan", help="Show what a first run would do; writes nothing.")(plan)
    group.command("sync", help="Confirm the plan: mark everything and start, or start over.")(sync)
    group.command("status", help="Show how much is to be done, and how the provider is.")(status)
    group.command("warnings", help="List what waits for a person.")(warnings)
    group.command("retry", help=_RETRY_HELP)(retry)
    group.command("restore", help=HELP)(restore)
    group.command("pause", help="Stop working for an integration; nothing is lost.")(pause)
    group.command("resume", help="Go on working for a paused integration.")(resume)
    group.command("rotate-secrets", help="Encrypt all secrets under the newest key.")(rotate_secrets)
    app.add_typer(group)


def providers(*, as_json: AsJson = False) -> None:
    """Show what can be connected."""
    from connectors.service.catalogue import declarations

    for declared in declarations().values():
        hidden = declared.settings.secret_fields()
        fields = [
            {
                "name": name,
                "secret": name in hidden,
                "required": field.is_required(),
                "description": field.description or "",
            }
            for name, field in declared.settings.model_fields.items()
        ]
        if as_json:
            shown = {"provider": declared.name, "title": declared.title, "summary": declared.summary}
            _print_json({**shown, "features": sorted(declared.features), "settings": fields})
            continue
        rows = table(f"{declared.name}: {declared.summary}")
        for name in ("setting", "needed", "how", "what"):
            rows.add_column(name)
        for field in fields:
            rows.add_row(
                str(field["name"]),
                "yes" if field["required"] else "",
                "--secret" if field["secret"] else "--set",
                escape(str(field["description"])),
            )
        console().print(rows)


def list_all(*, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List integrations."""
    from connectors.store.integrations import list_integrations

    with _database() as connection:
        found = list_integrations(connection, str(tenant) if tenant else None)
    if as_json:
        for integration in found:
            _print_json(_shown(integration))
        return
    if not found:
        console().print("There is no integration. Add one with `interactions connectors add`.")
        return
    rows = table("Integrations")
    for name in ("id", "provider", "state", "healthy", "tenant", "why"):
        rows.add_column(name, overflow="fold")
    for integration in found:
        rows.add_row(
            integration.id,
            integration.provider,
            integration.state,
            {True: "yes", False: "no", None: ""}[integration.healthy],
            integration.tenant_id,
            escape(_why(integration)),
        )
    console().print(rows)


def add(
    provider: Annotated[str, typer.Argument(help="One of `interactions connectors providers`.")],
    *,
    tenant: Annotated[UUID, typer.Option(help="The tenant.")],
    organization: Annotated[UUID, typer.Option(help="The organization.")],
    identity: Annotated[
        str | None, typer.Option("--id", help="Stands in webhook addresses; made up if not given.")
    ] = None,
    chosen: Annotated[list[str] | None, typer.Option("--set", help="A setting: name=value.")] = None,
    secret: Annotated[list[str] | None, typer.Option(help="name=@file or name=env:NAME.")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="name=value, as create_if_unmapped=true, entity_id=…, only_types=call,task."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add an integration."""
    from connectors.service.catalogue import declaration
    from connectors.service.integration_settings import refuse_taken_remote, validated
    from connectors.store.integrations import Integration, insert_integration, read_integration
    from connectors.sync.policy import Policy

    declared = declaration(provider)
    box = secret_box()
    stored, hidden = settings_of(declared, pairs(chosen or [], "--set"), pairs(secret or [], "--secret"))
    wanted: dict[str, Any] = dict(pairs(policy or [], "--policy"))
    if "only_types" in wanted:
        wanted["only_types"] = [part for part in wanted["only_types"].split(",") if part]
    rules = validated(Policy, wanted).model_dump(mode="json", exclude_unset=True)
    name = integration_id(identity, provider)
    sealed = box.seal(name, hidden)
    integration = Integration(
        id=name,
        tenant_id=str(tenant),
        organization_id=str(organization),
        provider=provider,
        settings=stored,
        policy=rules,
        secrets=sealed.content,
        secrets_key_id=sealed.key_id,
        state="needs_confirmation",
        state_reason="the first run is a plan: look at it with `plan`, start it with `sync`",
    )
    with _database() as connection:
        if read_integration(connection, name) is None:
            refuse_taken_remote(connection, declared, integration)
        if not insert_integration(connection, integration):
            raise Reject(
                "id_taken",
                f"the id {name} is taken: choose another, change the integration with"
                f" `interactions connectors set {name}`, or remove it with"
                f" `interactions connectors remove {name}`",
                pointer="/id",
                status=409,
            )
    if as_json:
        _print_json(_shown(integration))
    else:
        console().print(f"Added [bold]{name}[/bold]. Look at its plan: interactions connectors plan {name}")


def plan(identity: Id, *, as_json: AsJson = False) -> None:
    """Show what a first run would do."""
    from connectors.sync.initial_plan import make_plan

    with _opened(identity) as (session, connection):
        found = make_plan(session, connection)
    if as_json:
        _print_json(found.to_json())
        return
    rows = table(f"A first run of {identity} would")
    for name in ("here or there", "what", "how many"):
        rows.add_column(name)
    for side, counts in (("interactions", found.here), ("objects", found.there)):
        for what, count in sorted(counts.items()):
            rows.add_row(side, what, str(count))
    console().print(rows)
    console().print(f"Nothing was written. To do it: interactions connectors sync {identity}")


def sync(
    identity: Id,
    *,
    accept_mass_change: Annotated[
        bool, typer.Option("--accept-mass-change", help="The many deletions at the provider are meant.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Confirm the plan and start."""
    from connectors.sync.initial_plan import apply_plan, make_plan
    from connectors.sync.poller import poll
    from schemas.flags import EXTERNAL_SYNC
    from sinks.flags import flags_of

    with _opened(identity) as (session, connection):
        if session.integration.state == "disabled":
            raise Stop(f"{identity} is disabled: {session.integration.state_reason}. `resume` it first.")
        if accept_mass_change:
            poll(session, connection, accept_mass_change=True)
        found = make_plan(session, connection)
        marked = apply_plan(session, connection, found, accept_mass_change=accept_mass_change)
        switched_on = flags_of(connection, session.integration.tenant_id)[EXTERNAL_SYNC].enabled
    if as_json:
        _print_json({**found.to_json(), "marked": marked, "switchedOn": switched_on})
    else:
        console().print(f"{identity} is active; {marked} interactions were marked. See its status.")
    if not switched_on:
        owner = (
            f"--tenant {session.integration.tenant_id} --organization {session.integration.organization_id}"
        )
        raise Stop(
            f"The flag {EXTERNAL_SYNC} of this tenant is off, so nothing is mirrored yet."
            f" To turn it on: interactions flags set {EXTERNAL_SYNC} on {owner}"
        )


def status(identity: Id, *, as_json: AsJson = False) -> None:
    """Show how an integration is."""
    from connectors.store.integrations import read_integration
    from connectors.store.ledger import ledger_counts
    from connectors.store.mappings import count_mappings
    from connectors.store.warnings import list_warnings

    with _database() as connection:
        integration = read_integration(connection, identity)
        if integration is None:
            raise Stop(f"there is no integration {identity}")
        counts = ledger_counts(connection, identity)
        mirrored = count_mappings(connection, identity)
        waiting = len(list_warnings(connection, integration_id=identity, limit=1000))
    shown: dict[str, Any] = {
        **_shown(integration),
        "mirrored": mirrored,
        "due": counts.due,
        "failing": counts.failing,
        "givenUp": counts.parked,
        "warnings": waiting,
        "oldestDueAt": format_instant(counts.oldest_at) if counts.oldest_at else None,
    }
    if as_json:
        _print_json(shown)
        return
    rows = table(identity)
    rows.add_column("what")
    rows.add_column("value", overflow="fold")
    for name, value in shown.items():
        rows.add_row(name, escape("" if value is None else str(value)))
    console().print(rows)


def warnings(
    *,
    integration: Annotated[str | None, typer.Option(help="Only this integration's.")] = None,
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List open warnings."""
    from connectors.store.interactions import interaction_types
    from connectors.store.warnings import list_warnings

    with _database() as connection:
        found = list_warnings(
            connection,
            integration_id=integration,
            tenant_id=str(tenant) if tenant else None,
            limit=limit,
        )
        types = interaction_types(connection, [each.interaction_id for each in found if each.interaction_id])
    if as_json:
        for warning in found:
            _print_json({**_warning(warning), "interactionType": types.get(warning.interaction_id or "")})
        return
    if not found:
        console().print("Nothing waits for a person.")
        return
    now = datetime.now(UTC)
    rows = table("Warnings")
    for name in ("warning", "what"):
        rows.add_column(name, overflow="fold")
    for warning in found:
        since = relative(warning.created_at, now) if warning.created_at else ""
        named = [warning.id, warning.integration_id, f"{warning.kind} {warning.field or ''}".strip(), since]
        rows.add_row("\n".join(named), escape("\n".join(_told(warning, types))))
    console().print(rows)


def retry(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of warnings.")] = None,
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every open warning.")] = False,
    integration: Annotated[str | None, typer.Option(help="With --all: only this integration's.")] = None,
    take: Annotated[str | None, typer.Option(help="local or remote: decide conflicts so.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try again, or decide."""
    from connectors.store.warnings import list_warnings
    from connectors.sync.resolution import resolve
    from schemas.integration_decisions import Resolution

    if bool(ids) == all_of_them:
        raise typer.BadParameter("name warnings, or give --all")
    choices: dict[str | None, Resolution] = {None: "retry", "local": "take_local", "remote": "take_remote"}
    if take not in choices:
        raise typer.BadParameter("must be local or remote", param_hint="--take")
    with _database() as connection:
        found = list_warnings(connection, integration_id=integration, limit=10_000)
        if ids:
            found = [warning for warning in found if warning.id in ids]
        taken = resolve(connection, found, choices[take], by="command line", now=datetime.now(UTC))
        hurried = 0 if ids or take else _hurry(connection, integration)
    if as_json:
        for warning in taken:
            _print_json(_warning(warning))
    else:
        console().print(f"{len(taken)} of {len(found)} warnings took it; {hurried} more items are due now.")
    raise typer.Exit(0 if taken or hurried else 1)


def _hurry(connection: Connection, integration: str | None) -> int:
    """Make items due now that failed or wait for a later time; their number."""
    from connectors.store.integrations import list_integrations
    from connectors.store.ledger import retry_units

    chosen = [each.id for each in list_integrations(connection) if integration in (None, each.id)]
    return sum(retry_units(connection, identity, None, datetime.now(UTC)) for identity in chosen)


def pause(identity: Id) -> None:
    """Stop working for an integration."""
    _change_state(identity, "paused", "paused by a person")


def resume(identity: Id) -> None:
    """Go on with an integration."""
    from connectors.store.integrations import read_integration
    from connectors.store.warnings import settle_kind

    with _database() as connection:
        integration = read_integration(connection, identity)
        if integration is not None and integration.state == "needs_confirmation":
            raise Stop(f"{identity} waits for a confirmation: {integration.state_reason}")
        settle_kind(connection, identity, ["auth", "disabled"])
    _change_state(identity, "active", None)


def rotate_secrets(*, as_json: AsJson = False) -> None:
    """Encrypt all secrets under the newest key."""
    from connectors.store.integrations import list_integrations, set_secrets
    from runtime.secret_box import Sealed

    box, renewed = secret_box(), 0
    with _database() as connection:
        for integration in list_integrations(connection):
            if integration.secrets_key_id == box.current:
                continue
            opened = box.open(integration.id, Sealed(integration.secrets_key_id, integration.secrets))
            sealed = box.seal(integration.id, opened)
            set_secrets(connection, integration.id, sealed.content, sealed.key_id)
            renewed += 1
    if as_json:
        _print_json({"renewed": renewed, "key": box.current})
    else:
        console().print(f"{renewed} integrations are now encrypted under {box.current}.")


def _change_state(identity: str, state: str, reason: str | None) -> None:
    from connectors.store.integrations import read_integration, set_state

    with _database() as connection:
        if read_integration(connection, identity) is None:
            raise Stop(f"there is no integration {identity}")
        changed = set_state(connection, identity, state, reason)
    console().print(f"{identity} is {state}{'' if changed else ' already'}.")


@contextlib.contextmanager
def _database() -> Iterator[Connection]:
    from runtime.postgres import connect

    with connect(
        load_settings(), application_name="interactions-connectors-cli", autocommit=True
    ) as connection:
        yield connection


@contextlib.contextmanager
def _opened(identity: str) -> Iterator[tuple[Session, Connection]]:
    """A link that looks and marks, but publishes nothing."""
    from connectors.service.open_session import open_session
    from connectors.store.integrations import read_integration

    def send(commands: Sequence[PulledCommand]) -> None:
        raise Stop(f"the command line publishes no commands ({len(commands)} were to be sent)")

    with _database() as connection:
        integration = read_integration(connection, identity)
        if integration is None:
            raise Stop(f"there is no integration {identity}")
        opened = open_session(load_settings(), integration, secret_box(), send)
        try:
            yield opened.session, connection
        finally:
            opened.close()


def _why(integration: Integration) -> str:
    """Reasons for the state and for bad health; the same reason once."""
    health = integration.health_detail if integration.healthy is False else None
    return "; ".join(dict.fromkeys(filter(None, (integration.state_reason, health))))


def _shown(integration: Integration) -> dict[str, Any]:
    return {
        "id": integration.id,
        "provider": integration.provider,
        "tenantId": integration.tenant_id,
        "organizationId": integration.organization_id,
        "state": integration.state,
        "reason": integration.state_reason,
        "healthy": integration.healthy,
        "health": integration.health_detail,
        "why": _why(integration),
    }


def _told(warning: SyncWarning, types: Mapping[str, str]) -> Iterator[str]:
    """Lines that say enough about a warning to decide it."""
    yield warning.detail
    if warning.interaction_id is not None:
        yield f"interaction: {types.get(warning.interaction_id, 'unknown type')} {warning.interaction_id}"
    if warning.entity_id is not None:
        yield f"customer: {warning.entity_id}"
    if warning.field is not None:
        yield f"ours (local): {_short(warning.local_value)}"
        yield f"theirs (remote): {_short(warning.remote_value)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}… (whole with --json)"


def _warning(warning: SyncWarning) -> dict[str, Any]:
    return {
        "id": warning.id,
        "integrationId": warning.integration_id,
        "tenantId": warning.tenant_id,
        "organizationId": warning.organization_id,
        "interactionId": warning.interaction_id,
        "entityId": warning.entity_id,
        "kind": warning.kind,
        "field": warning.field,
        "detail": warning.detail,
        "local": warning.local_value,
        "remote": warning.remote_value,
        "resolution": warning.resolution,
    }


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
