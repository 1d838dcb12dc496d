"""Server failures during an audit abort it; they never count as a violation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from confluent_kafka import KafkaException

from schemas.errors import Stop


@contextmanager
def servers_reachable() -> Iterator[None]:
    """Turn driver errors into a plain ``Stop``.

    :raises Stop: Postgres or Kafka failed inside the block.
    """
    try:
        yield
    except psycopg.Error as error:
        raise Stop(f"Postgres is unavailable: {str(error).strip() or type(error).__name__}") from error
    except KafkaException as error:
        raise Stop(f"Kafka is unavailable: {error.args[0].str()}") from error
