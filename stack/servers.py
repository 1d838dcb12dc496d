"""Choice of servers: embedded or the user's own, with their addresses."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.running_stack import Addresses, read_stack_file
from runtime.settings import Settings
from stack.home import Home
from stack.kafka_server import KafkaServer
from stack.options import StackOptions
from stack.ports import choose_ports
from stack.postgres_server import PostgresServer
from stack.registry_server import RegistryServer
from stack.server import Server


@dataclass(frozen=True, slots=True)
class Servers:
    """Embedded servers in start order, keyed by address name, and the addresses of all three servers.

    :param api_port: port of the HTTP gateway.
    """

    embedded: dict[str, Server]
    addresses: Addresses
    api_port: int


def plan_servers(home: Home, settings: Settings, options: StackOptions) -> Servers:
    """Embed each server whose address is not configured.

    An address that this home itself used at its last start (from ``interactions env``, still in the shell)
    does not count as configured.
    """
    own = read_stack_file(home.root)
    ports = choose_ports(home, options)
    embedded: dict[str, Server] = {}

    def outside(name: str, given: str | None) -> str | None:
        is_own = own is not None and name in own.embedded and getattr(own.addresses, name) == given
        return None if is_own else given

    given = settings.database_url.get_secret_value() if settings.database_url else None
    database = outside("database_url", given)
    if database is None:
        postgres = PostgresServer(home, options, ports["postgres_port"])
        database = postgres.url()
        embedded["database_url"] = postgres

    kafka = outside("kafka_bootstrap_servers", settings.kafka_bootstrap_servers)
    if kafka is None:
        broker = KafkaServer(home, options, ports["kafka_port"], ports["kafka_controller_port"])
        kafka = broker.bootstrap_servers
        embedded["kafka_bootstrap_servers"] = broker

    registry_url = outside("schema_registry_url", settings.schema_registry_url)
    if registry_url is None:
        registry = RegistryServer(home, options, ports["schema_registry_port"])
        registry_url = registry.url
        embedded["schema_registry_url"] = registry

    return Servers(
        embedded,
        Addresses(database_url=database, kafka_bootstrap_servers=kafka, schema_registry_url=registry_url),
        ports["api_port"],
    )
