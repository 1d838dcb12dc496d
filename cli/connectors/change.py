"""``interactions connectors set``: change the settings and secrets of an integration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.connectors.options import pairs, secret_box, settings_of
from cli.console import console
from runtime.settings import load_settings
from schemas.errors import Reject, Stop

if TYPE_CHECKING:
    from connectors.sdk.declaration import Declaration

HELP = (
    "Change settings or secrets of an integration, for example a password that has expired.\n\n"
    "What is not named stays. Secrets come from a file or a variable, as for `add`. The connectors use the "
    "new values within seconds; an integration that waits for credentials goes on with `resume`."
)


def change(
    identity: Annotated[str, typer.Argument(help="The integration's id, as the list shows it.")],
    *,
    chosen: Annotated[
        list[str] | None, typer.Option("--set", help="A setting: name=value; name= goes back to its default.")
    ] = None,
    secret: Annotated[list[str] | None, typer.Option(help="name=@file or name=env:NAME.")] = None,
) -> None:
    """Change settings and secrets; what the provider does not accept changes nothing."""
    from connectors.service.catalogue import declaration
    from connectors.service.integration_settings import refuse_taken_remote
    from connectors.store.integrations import lock_integration, read_integration, set_settings
    from runtime.postgres import connect
    from runtime.secret_box import Sealed

    plain, given = pairs(chosen or [], "--set"), pairs(secret or [], "--secret")
    if not plain and not given:
        raise Reject("nothing_to_set", "name at least one --set name=value or --secret name=@file")
    box = secret_box()
    with (
        connect(
            load_settings(), application_name="interactions-connectors-cli", autocommit=True
        ) as connection,
        connection.transaction(),
    ):
        lock_integration(connection, identity)
        integration = read_integration(connection, identity)
        if integration is None:
            raise Stop(f"there is no integration {identity}")
        known = box.open(identity, Sealed(integration.secrets_key_id, integration.secrets))
        declared = declaration(integration.provider)
        stored, hidden = _merged(declared, integration.settings, known, plain, given)
        sealed = box.seal(identity, hidden)
        changed = replace(integration, settings=stored, secrets=sealed.content, secrets_key_id=sealed.key_id)
        if plain:
            refuse_taken_remote(connection, declared, changed)
        set_settings(connection, changed)
    console().print(f"Changed {', '.join([*plain, *given])} of [bold]{identity}[/bold].")
    if integration.state != "active":
        console().print(
            f"{identity} is {integration.state}. To go on: interactions connectors resume {identity}"
        )


def _merged(
    declared: Declaration,
    settings: dict[str, Any],
    secrets: dict[str, str],
    plain: dict[str, str],
    given: dict[str, str],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Stored values with the named ones in their place, checked as a whole."""
    wanted = {**settings, **{name: value for name, value in plain.items() if value}}
    for name, value in plain.items():
        if not value:
            wanted.pop(name, None)
    return settings_of(declared, wanted, given, known=secrets)
