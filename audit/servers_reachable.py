"""A server that fails in the middle of an audit makes it impossible; it never makes a law broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from confluent_kafka import KafkaException

from schemas.errors import Stop


@contextmanager
def servers_in_reach() -> Iterator[None]:
    """Say in words that a server could not be asked.

    :raises Stop: Postgres or Kafka failed inside the block.
    """
    try:
        yield
    except psycopg.Error as error:
        raise Stop(f"Postgres cannot be asked: {str(error).strip() or type(error).__name__}") from error
    except KafkaException as error:
        raise Stop(f"Kafka cannot be asked: {error.args[0].str()}") from error
