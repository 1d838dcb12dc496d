"""The same servers from images, for machines with Docker (``INTERACTIONS_TEST_STACK=containers``)."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from runtime.settings import Settings

_POSTGRES_PORT = 5432
_REGISTRY_PORT = 8080


@contextlib.contextmanager
def container_stack() -> Iterator[Settings]:
    """Start the three containers; they are removed at the end, by testcontainers' reaper if need be."""
    from testcontainers.community.kafka import KafkaContainer
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy, LogMessageWaitStrategy

    kafka = (
        KafkaContainer("confluentinc/cp-kafka:8.1.0")
        .with_kraft()
        .with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
        .with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
        .with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        .with_env("KAFKA_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS", "6000")
        .with_env("KAFKA_GROUP_CONSUMER_SESSION_TIMEOUT_MS", "10000")
        .with_env("KAFKA_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS", "1000")
        .with_env("KAFKA_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS", "2000")
    )
    postgres = (
        DockerContainer("postgres:18")
        .with_exposed_ports(_POSTGRES_PORT)
        .with_env("POSTGRES_USER", "interactions")
        .with_env("POSTGRES_PASSWORD", "interactions")
        .with_command("postgres -c max_locks_per_transaction=256 -c max_connections=200")
        # The image starts the server twice; the second message is the lasting one.
        .waiting_for(LogMessageWaitStrategy("database system is ready to accept connections", times=2))
    )
    registry = (
        DockerContainer("apicurio/apicurio-registry-mem:2.6.13.Final")
        .with_exposed_ports(_REGISTRY_PORT)
        .waiting_for(HttpWaitStrategy(_REGISTRY_PORT, "/apis/ccompat/v7/subjects"))
    )
    with kafka, postgres, registry, tempfile.TemporaryDirectory(prefix="interactions-tests-") as home:
        database = f"{postgres.get_container_host_ip()}:{postgres.get_exposed_port(_POSTGRES_PORT)}"
        subjects = f"{registry.get_container_host_ip()}:{registry.get_exposed_port(_REGISTRY_PORT)}"
        yield Settings(
            home=Path(home),
            database_url=SecretStr(f"postgresql://interactions:interactions@{database}/interactions"),
            kafka_bootstrap_servers=kafka.get_bootstrap_server(),
            schema_registry_url=f"http://{subjects}/apis/ccompat/v7",
        )
