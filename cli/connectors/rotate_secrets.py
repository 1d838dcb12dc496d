"""``interactions connectors rotate-secrets``: encrypt all stored secrets under the newest key."""

from __future__ import annotations

from cli.connectors.common import AsJson, database, print_json
from cli.connectors.options import secret_box
from cli.console import console


def rotate_secrets(*, as_json: AsJson = False) -> None:
    """Encrypt all stored secrets under the newest key."""
    from connectors.store.integrations import list_integrations, set_secrets
    from runtime.secret_box import Sealed

    box, renewed = secret_box(), 0
    with database() as connection:
        for integration in list_integrations(connection):
            if integration.secrets_key_id == box.current:
                continue
            opened = box.open(integration.id, Sealed(integration.secrets_key_id, integration.secrets))
            sealed = box.seal(integration.id, opened)
            set_secrets(connection, integration.id, sealed.content, sealed.key_id)
            renewed += 1
    if as_json:
        print_json({"renewed": renewed, "key": box.current})
    else:
        console().print(f"Encrypted the secrets of {renewed} integrations under key {box.current}.")
