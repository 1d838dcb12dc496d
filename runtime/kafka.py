"""Factories of Kafka clients (librdkafka through confluent-kafka); no other module creates them."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from runtime.settings import Settings
from schemas.errors import Stop

_log = logging.getLogger("kafka.client")

#: ``linger.ms`` of a producer that is flushed at the end of each batch: fewer, larger requests while the
#: batch is produced. A flush does not wait for the linger, so it adds no latency.
FLUSHED_LINGER_MS: Final = 20


def client_config(settings: Settings, **overrides: Any) -> dict[str, Any]:
    """librdkafka properties common to all clients: servers, security, client id, logger.

    :param overrides: properties by their dotted librdkafka names (``**{"linger.ms": 5}``); they win.
    :raises Stop: no bootstrap servers are set.
    """
    if settings.kafka_bootstrap_servers is None:
        raise Stop(
            "INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS is not set and no stack is running; start one with"
            " `interactions up --detach`."
        )
    password = settings.kafka_sasl_password
    config: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": f"customer-interactions-{socket.gethostname()}-{os.getpid()}",
        "security.protocol": settings.kafka_security_protocol,
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": password.get_secret_value() if password else None,
        "ssl.ca.location": settings.kafka_ssl_ca_location,
        "logger": _log,
        # Reconnect within 1 s of a broker coming back; time out an unresponsive broker after 10 s.
        "reconnect.backoff.max.ms": 1000,
        "socket.timeout.ms": 10_000,
        "socket.keepalive.enable": True,
    }
    config = {name: value for name, value in config.items() if value is not None}
    return {**config, **settings.kafka_options, **overrides}


def make_producer(settings: Settings, **overrides: Any) -> Producer:
    """Create an idempotent producer that partitions by key like the Java clients (murmur2).

    :param overrides: librdkafka properties that override the defaults.
    """
    defaults = {
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 5,
    }
    return Producer(client_config(settings, **{**defaults, **overrides}))


def make_consumer(settings: Settings, group_id: str, **overrides: Any) -> Consumer:
    """Create a consumer without auto-commit that reads committed transactions only.

    :param overrides: librdkafka properties that override the defaults.
    """
    defaults = {
        "group.id": group_id,
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
    }
    return Consumer(client_config(settings, **{**defaults, **overrides}))


def take_batch(consumer: Consumer, most: int, seconds: float) -> list[Message]:
    """Wait for one record, then take those that have arrived with it.

    Hazard: ``consume(n, t)`` waits the whole ``t`` unless ``n`` records are there.

    :param most: maximum number of records.
    :param seconds: how long to wait for the first.
    """
    messages = consumer.consume(1, seconds)
    if messages and most > 1:
        messages += consumer.consume(most - 1, 0)
    return messages


def unavailable_reason(settings: Settings, timeout: float = 2.0) -> str | None:
    """Check whether the cluster answers.

    :param timeout: maximum wait in seconds.
    :returns: ``None`` if it lists brokers, otherwise the reason, for users.
    """
    try:
        found = make_admin(settings).list_topics(timeout=timeout)
    except KafkaException as failure:
        return str(failure.args[0].str())
    return None if found.brokers else "the cluster has no brokers yet"


def make_admin(settings: Settings, **overrides: Any) -> AdminClient:
    """Create an admin client for topics, their settings and groups."""
    return AdminClient(client_config(settings, **overrides))
