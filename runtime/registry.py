"""Factory of schema registry clients (Confluent-compatible REST API); no other module creates them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from runtime.settings import Settings
from schemas.errors import Stop

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient


def make_registry(settings: Settings, **overrides: Any) -> SchemaRegistryClient:
    """Create a registry client with the basic authentication and private CA of the settings.

    :param overrides: client properties by their dotted names; they override the defaults.
    :raises Stop: no registry URL is set.
    """
    if settings.schema_registry_url is None:
        raise Stop(
            "INTERACTIONS_SCHEMA_REGISTRY_URL is not set and no stack is running; start one with"
            " `interactions up --detach`."
        )
    # Importing it takes a third of a second, and most commands need no registry.
    from confluent_kafka.schema_registry import SchemaRegistryClient

    # Hazard: without a timeout, the client waits forever on a half-open connection.
    config: dict[str, Any] = {
        "url": settings.schema_registry_url,
        "timeout": 10.0,
        "max.retries": 2,
        "retries.wait.ms": 200,
    }
    if settings.schema_registry_username is not None:
        password = settings.schema_registry_password
        secret = password.get_secret_value() if password else ""
        config["basic.auth.user.info"] = f"{settings.schema_registry_username}:{secret}"
    if settings.schema_registry_ssl_ca_location is not None:
        config["ssl.ca.location"] = settings.schema_registry_ssl_ca_location
    client = SchemaRegistryClient({**config, **overrides})
    # The client does not close its sockets by itself; close them when it is collected.
    weakref.finalize(client, client._rest_client.session.close)  # noqa: SLF001
    return client
