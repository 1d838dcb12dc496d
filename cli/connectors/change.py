"""``interactions connectors set``: change the settings and secrets of an integration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.connectors.common import Id, database, get_integration
from cli.connectors.options import pairs, secret_box, settings_of
from cli.console import console
from schemas.errors import Reject

if TYPE_CHECKING:
    from connectors.sdk.declaration import Declaration

HELP = (
    "Change settings or secrets of an integration, for example an expired password.\n\n"
    "Settings that are not named keep their values. Secrets are read from a file or an environment "
    "variable, as for `add`. The connectors pick up the new values within seconds. An integration that "
    "stopped because its credentials were refused continues after `resume`."
)


def change(
    identity: Id,
    *,
    chosen: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting, as name=value; name= restores the default. Repeatable."),
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option(help="A secret, as name=@file or name=env:NAME; repeatable.")
    ] = None,
) -> None:
    """Change settings and secrets, all or nothing."""
    from connectors.service.catalogue import declaration
    from connectors.service.integration_settings import refuse_taken_remote
    from connectors.store.integrations import lock_integration, set_settings
    from runtime.secret_box import Sealed

    plain, given = pairs(chosen or [], "--set"), pairs(secret or [], "--secret")
    if not plain and not given:
        raise Reject("nothing_to_set", "Give at least one --set name=value or --secret name=@file.")
    box = secret_box()
    with database() as connection, connection.transaction():
        lock_integration(connection, identity)
        integration = get_integration(connection, identity)
        known = box.open(identity, Sealed(integration.secrets_key_id, integration.secrets))
        declared = declaration(integration.provider)
        stored, secrets = _merged(declared, integration.settings, known, plain, given)
        sealed = box.seal(identity, secrets)
        changed = replace(integration, settings=stored, secrets=sealed.content, secrets_key_id=sealed.key_id)
        if plain:
            refuse_taken_remote(connection, declared, changed)
        set_settings(connection, changed)
    console().print(f"Changed {', '.join([*plain, *given])} of [bold]{identity}[/bold].")
    if integration.state != "active":
        console().print(
            f"{identity} is {integration.state}. To continue: interactions connectors resume {identity}"
        )


def _merged(
    declared: Declaration,
    settings: dict[str, Any],
    secrets: dict[str, str],
    plain: dict[str, str],
    given: dict[str, str],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Stored settings and secrets with the given ones replaced, validated as a whole."""
    wanted = {**settings, **{name: value for name, value in plain.items() if value}}
    for name, value in plain.items():
        if not value:
            wanted.pop(name, None)
    return settings_of(declared, wanted, given, known=secrets)
