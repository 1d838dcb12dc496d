"""``interactions token``: bearer tokens for the HTTP gateway of the embedded stack."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from runtime.running_stack import read_running_stack
from runtime.settings import read_settings
from schemas.errors import Stop
from schemas.values import UUID_PATTERN

_HELP = (
    "Print a bearer token for the gateway of the running stack.\n\n"
    "The token is signed with the stack's own key, which is stored in its home folder and readable by you "
    "alone. A gateway that trusts another key (INTERACTIONS_API_JWT_SECRET or INTERACTIONS_API_JWKS_URL) "
    "accepts tokens of your identity provider instead."
)
_EXAMPLES = """
[bold]Examples[/bold]

  interactions token --tenant "$TENANT" --organization "$ORGANIZATION"

  interactions token --tenant "$TENANT" --organization "$ORGANIZATION" --features customers.view

  interactions token --tenant "$TENANT" --organization "$ORGANIZATION" --audience http://127.0.0.1:8080/mcp
"""
ALL_FEATURES = (
    "customers.view,customers.create,customers.edit,customers.delete,customers.flags.manage,"
    "customers.integrations.manage,customers.migrate,customers.jobs.view,customers.dead_letters.view,"
    "customers.dead_letters.manage,customers.operations.view,deployment.operate,audit_logs.undo_self"
)
LOCAL_USER = "00000000-0000-4000-8000-000000000001"


def register(app: typer.Typer) -> None:
    """Add ``token``."""
    app.command("token", help=_HELP, epilog=_EXAMPLES)(token)


def token(
    *,
    tenant: Annotated[str, typer.Option(help="Tenant id (UUID).")],
    organization: Annotated[str, typer.Option(help="Organization id (UUID).")],
    user: Annotated[str, typer.Option(help="User id.")] = LOCAL_USER,
    features: Annotated[
        list[str] | None,
        typer.Option(help="Granted features, comma-separated; repeatable. Default: all."),
    ] = None,
    expires_in: Annotated[int, typer.Option(min=1, max=30 * 86400, help="Lifetime in seconds.")] = 43_200,
    audience: Annotated[
        list[str] | None,
        typer.Option(help="Audience (aud); repeatable. The tools for assistants need their URL, …/mcp."),
    ] = None,
) -> None:
    """Print a token."""
    granted = ALL_FEATURES if features is None else ",".join(features)
    home = read_settings().home
    typer.echo(local_token(home, tenant, organization, user, granted, expires_in, audience or ()))


def local_token(
    home: Path,
    tenant: str,
    organization: str,
    user: str = LOCAL_USER,
    features: str = ALL_FEATURES,
    expires_in: int = 43_200,
    audience: Sequence[str] = (),
) -> str:
    """A token signed with the key of the stack that runs in ``home``.

    :param expires_in: seconds.
    :param audience: resources for which the token is; the gateway's own routes require none by default.
    :raises Stop: no embedded stack runs there whose gateway trusts the stack's own key, or an id is
        malformed.
    """
    import jwt

    claims = {**local_identity(tenant, organization, user, features), **_times(expires_in)}
    if audience:
        claims["aud"] = list(audience)
    return jwt.encode(claims, signing_stack(home).key, algorithm="HS256")


def local_identity(tenant: str, organization: str, user: str, features: str) -> dict[str, object]:
    """Claims about a local user.

    :raises Stop: an id is malformed.
    """
    import re

    for name, value in (("--tenant", tenant), ("--organization", organization)):
        if not re.fullmatch(UUID_PATTERN, value):
            raise Stop(f"{name} must be a UUID such as 11111111-1111-4111-8111-111111111111.")
    if not 0 < len(user) <= 100:
        raise Stop("--user must have 1 to 100 characters; the gateway accepts no token without a user.")
    return {
        "sub": user,
        "tenantId": tenant.lower(),
        "organizationId": organization.lower(),
        "features": [name.strip() for name in features.split(",") if name.strip()],
    }


@dataclass(frozen=True, slots=True)
class SigningStack:
    """Gateway of a running stack that trusts the stack's own key."""

    api_url: str
    key: bytes


def signing_stack(home: Path) -> SigningStack:
    """Find the stack that runs in ``home``.

    :raises Stop: no embedded stack runs there whose gateway trusts the stack's own key.
    """
    running = read_running_stack(home)
    if running is None:
        raise Stop(f"No stack is running in {home}. Start one with: interactions up --detach")
    if not running.embedded:
        raise Stop("This stack uses your own servers: get tokens from your identity provider.")
    if running.api_url is None:
        raise Stop("The stack runs without a gateway. Start it with the role `gateway`.")
    if running.api_key_file is None:
        raise Stop("The gateway trusts a different key: get tokens from your identity provider.")
    return SigningStack(running.api_url, Path(running.api_key_file).read_bytes().strip())


def _times(expires_in: int) -> dict[str, object]:
    now = int(time.time())
    return {"iat": now, "exp": now + expires_in}
