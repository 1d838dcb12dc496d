"""``interactions connectors add``: add an integration."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from cli.connectors.common import AsJson, database, integration_json, print_json
from cli.connectors.options import integration_id, pairs, secret_box, settings_of
from cli.console import console
from schemas.errors import Reject

HELP = (
    "Add an integration. Nothing is synced until its plan is confirmed with `sync`.\n\n"
    "Secrets are read from a file or an environment variable (--secret token=@file, "
    "--secret token=env:NAME), never from the command line, and are stored encrypted under "
    "INTERACTIONS_SECRETS_KEY."
)


def add(
    provider: Annotated[
        str, typer.Argument(help="Provider, as shown by `interactions connectors providers`.")
    ],
    *,
    tenant: Annotated[UUID, typer.Option(help="Tenant id.")],
    organization: Annotated[UUID, typer.Option(help="Organization id.")],
    identity: Annotated[
        str | None, typer.Option("--id", help="Integration id, part of webhook URLs. Default: generated.")
    ] = None,
    chosen: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, as name=value; repeatable.")
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option(help="A secret, as name=@file or name=env:NAME; repeatable.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="A sync policy, as name=value; repeatable. For example create_if_unmapped=true, "
            "entity_id=…, only_types=call,task."
        ),
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
    plain, secrets = settings_of(declared, pairs(chosen or [], "--set"), pairs(secret or [], "--secret"))
    given_policy: dict[str, Any] = dict(pairs(policy or [], "--policy"))
    if "only_types" in given_policy:
        given_policy["only_types"] = [part for part in given_policy["only_types"].split(",") if part]
    stored_policy = validated(Policy, given_policy).model_dump(mode="json", exclude_unset=True)
    name = integration_id(identity, provider)
    sealed = box.seal(name, secrets)
    integration = Integration(
        id=name,
        tenant_id=str(tenant),
        organization_id=str(organization),
        provider=provider,
        settings=plain,
        policy=stored_policy,
        secrets=sealed.content,
        secrets_key_id=sealed.key_id,
        state="needs_confirmation",
        state_reason="the first sync needs confirmation: preview it with `plan`, start it with `sync`",
    )
    with database() as connection, connection.transaction():
        if read_integration(connection, name) is None:
            refuse_taken_remote(connection, declared, integration)
        if not insert_integration(connection, integration):
            raise Reject(
                "id_taken",
                f"An integration {name} already exists. Nothing was changed. Choose another id, change the"
                f" integration with `interactions connectors set {name}`, or remove it with"
                f" `interactions connectors remove {name}`.",
                pointer="/id",
                status=409,
            )
    if as_json:
        print_json(integration_json(integration))
    else:
        console().print(
            f"Added [bold]{name}[/bold]. Preview its first sync: interactions connectors plan {name}"
        )
