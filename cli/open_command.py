"""``interactions open``: the pages of the embedded stack in the browser, signed in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from cli.token import ALL_FEATURES, LOCAL_USER, local_identity, signing_stack
from runtime.settings import load_settings, read_settings
from schemas.errors import Stop

_HELP = (
    "Open the pages of the running stack in the browser, signed in.\n\n"
    "The link signs in one browser on this machine, once, within 60 seconds. Without --tenant and"
    " --organization it opens the only organization that has customers."
)
_EXAMPLES = """
[bold]Examples[/bold]

  interactions open

  interactions open --print

  interactions open --tenant "$TENANT" --organization "$ORGANIZATION" --features customers.view
"""
_NAME = "Local user"


def register(app: typer.Typer) -> None:
    """Add ``open``."""
    app.command("open", help=_HELP, epilog=_EXAMPLES)(open_pages)


def open_pages(
    *,
    tenant: Annotated[str | None, typer.Option(help="Tenant id (UUID).")] = None,
    organization: Annotated[str | None, typer.Option(help="Organization id (UUID).")] = None,
    user: Annotated[str, typer.Option(help="User id.")] = LOCAL_USER,
    name: Annotated[str, typer.Option(help="Name that the pages show.")] = _NAME,
    features: Annotated[
        list[str] | None,
        typer.Option(help="Granted features, comma-separated; repeatable. Default: all."),
    ] = None,
    path: Annotated[str, typer.Option(help="Page to open.")] = "/backend/dashboard",
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the link instead of opening it.")
    ] = False,
) -> None:
    """Open the browser, or print the link."""
    import webbrowser

    if (tenant is None) != (organization is None):
        raise Stop("Give both --tenant and --organization, or neither.")
    home = read_settings().home
    if tenant is None or organization is None:
        signing_stack(home)
        tenant, organization = _only_organization()
    granted = ALL_FEATURES if features is None else ",".join(features)
    link = sign_in_link(home, tenant, organization, user, granted, name=name, path=path)
    if only_print or not webbrowser.open(link):
        typer.echo(link)


def sign_in_link(
    home: Path,
    tenant: str,
    organization: str,
    user: str = LOCAL_USER,
    features: str = ALL_FEATURES,
    *,
    name: str = _NAME,
    path: str = "/backend/dashboard",
) -> str:
    """A link that signs in one browser on this machine, once, within a minute.

    :param path: the page that it leads to.
    :raises Stop: no embedded stack runs in ``home`` whose gateway trusts the stack's own key, or an id is
        malformed.
    """
    from web.sign_in.local_ticket import make_ticket

    stack = signing_stack(home)
    identity = {**local_identity(tenant, organization, user, features), "name": name}
    return f"{stack.api_url}/signin/local?" + urlencode(
        {"ticket": make_ticket(stack.key, identity), "next": path}, safe="/"
    )


def _only_organization() -> tuple[str, str]:
    from runtime.postgres import connect
    from sinks.organizations import organizations

    with connect(load_settings(), application_name="interactions-open") as connection:
        found = organizations(connection, 2)
    if len(found) != 1:
        many = "Several organizations have" if found else "No organization has"
        raise Stop(f"{many} customers in this stack. Name one with --tenant and --organization.")
    return found[0]
