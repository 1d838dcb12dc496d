"""The only maker of schema registry clients (the Confluent-compatible REST API)."""

from __future__ import annotations

from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient

from runtime.settings import Settings
from schemas.errors import Stop


def make_registry(settings: Settings) -> SchemaRegistryClient:
    """A registry client; basic authentication and a private CA pass through from the settings.

    :raises Stop: no registry URL is set.
    """
    if settings.schema_registry_url is None:
        raise Stop(
            "INTERACTIONS_SCHEMA_REGISTRY_URL is not set and no stack runs: `interactions up --detach`."
        )
    config: dict[str, Any] = {"url": settings.schema_registry_url}
    if settings.schema_registry_username is not None:
        password = settings.schema_registry_password
        secret = password.get_secret_value() if password else ""
        config["basic.auth.user.info"] = f"{settings.schema_registry_username}:{secret}"
    if settings.schema_registry_ssl_ca_location is not None:
        config["ssl.ca.location"] = settings.schema_registry_ssl_ca_location
    return SchemaRegistryClient(config)
