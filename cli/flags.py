"""``interactions flags``: list and set the feature flags of a tenant."""

from __future__ import annotations

import json
import sys
from typing import Annotated
from uuid import UUID

import typer

from cli.console import console, table
from cli.publish.report_view import show_report
from cli.publish.single_command import publish_one
from runtime.settings import load_settings
from schemas.errors import Reject
from schemas.flags import canonical_flag
from schemas.payloads import FLAG_SET

_EXAMPLES = """
[bold]Examples[/bold]

  interactions flags list --tenant 0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001

  interactions flags set customers.interactions.unified on --tenant … --organization …
"""
_SET_HELP = (
    "Turn a flag on or off for a whole tenant, and wait until the change is applied.\n\n"
    "The change is published as a command (customers.feature_flag.set), so it is in the journal and "
    "is audited.\n\n"
    "Exit status: 0 the flag has the value; 1 the command was rejected, or its outcome is unknown."
)
_VALUES = {"on": True, "off": False}


def register(app: typer.Typer) -> None:
    """Add ``flags``."""
    group = typer.Typer(
        name="flags",
        help="List and set the feature flags of a tenant.",
        epilog=_EXAMPLES,
        no_args_is_help=True,
    )
    group.command("list", help="List the flags of a tenant.")(list_flags)
    group.command("set", help=_SET_HELP, epilog=_EXAMPLES)(set_flag)
    app.add_typer(group)


def list_flags(
    *,
    tenant: Annotated[UUID, typer.Option(help="Tenant id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """List the flags of a tenant."""
    from runtime.postgres import connect
    from sinks.flags import flags_of

    with connect(load_settings(), application_name="interactions-flags") as connection:
        flags = flags_of(connection, str(tenant)).values()
    if as_json:
        for flag in flags:
            shown = {"flag": flag.name, "enabled": flag.enabled, "chosen": flag.chosen}
            sys.stdout.write(json.dumps(shown) + "\n")
        return
    rows = table("Feature flags")
    for name in ("flag", "value", "source"):
        rows.add_column(name, no_wrap=True)
    for flag in flags:
        rows.add_row(flag.name, "on" if flag.enabled else "off", "set" if flag.chosen else "default")
    console().print(rows)


def set_flag(
    flag: Annotated[str, typer.Argument(help="Name of the flag, as listed.")],
    value: Annotated[str, typer.Argument(help="on or off.")],
    *,
    tenant: Annotated[UUID, typer.Option(help="Tenant id.")],
    organization: Annotated[UUID, typer.Option(help="Id of the organization that sets the flag.")],
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the outcome.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON object.")] = False,
) -> None:
    """Turn a flag on or off."""
    if value not in _VALUES:
        raise typer.BadParameter("must be on or off", param_hint="VALUE")
    try:
        name = canonical_flag(flag)
    except ValueError as error:
        raise Reject("unknown_flag", f"{flag} {error}") from None
    data = {"flag": name, "enabled": _VALUES[value]}
    scope = str(tenant), str(organization)
    command_id, report = publish_one(load_settings(), FLAG_SET, scope, str(tenant), data, timeout=timeout)
    if as_json:
        sys.stdout.write(json.dumps({"commandId": command_id, **report.to_json()}) + "\n")
    else:
        show_report(console(), report, timeout=timeout)
    raise typer.Exit(report.exit_code(allow_rejected=False))
