"""What Postgres tells at once after a commit (NOTIFY): hints, never relied upon.

One wakes the relay. The others carry an outcome to the gateway that waits for it: the results topic tells
it too, but a transaction of Kafka later.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from runtime.postgres import Connection, connect_async
from runtime.settings import Settings
from schemas.errors import Retry

OUTBOX_CHANNEL: Final = "interactions_outbox"
_OUTCOME_CHANNEL: Final = "interactions_outcomes"
#: Bytes; PostgreSQL documentation, NOTIFY.
_LONGEST: Final = 7_999
_NOTIFY: Final = "SELECT pg_notify(channel, text) FROM unnest(%s::text[], %s::text[]) AS n (channel, text)"


@dataclass(frozen=True, slots=True)
class Notice:
    """The outcome of one command, for whoever waits for it.

    :param correlation_id: what the waiting one gave.
    :param value: the result as on the results topic.
    """

    correlation_id: str
    value: bytes


def notify_committed(connection: Connection, notices: Sequence[Notice] = ()) -> None:
    """Say that rows were committed, and what became of some commands; a notice that is too long is left out.

    Hazard: a NOTIFY inside the batch transaction would take a lock at commit that serialises all
    appliers of the database.

    :param connection: in autocommit, after the commit.
    :raises psycopg.Error: nobody was told; in a pipeline, at its end.
    """
    told = [_text_of(notice) for notice in notices]
    texts = ["", *(text for text in told if len(text) <= _LONGEST)]
    channels = [OUTBOX_CHANNEL, *[_OUTCOME_CHANNEL] * (len(texts) - 1)]
    connection.execute(_NOTIFY, (channels, texts))


async def outcomes(settings: Settings) -> AsyncIterator[Notice]:
    """The notices from now on, for as long as the connection lives.

    :raises Retry: the database cannot be reached, or the connection was lost.
    """
    try:
        connection = await connect_async(settings, application_name="interactions-gateway-outcomes")
        async with connection:
            await connection.execute(f"LISTEN {_OUTCOME_CHANNEL}")
            async for found in connection.notifies():
                notice = _notice_of(found.payload)
                if notice is not None:
                    yield notice
    except psycopg.Error as error:
        raise Retry(f"outcomes are not told at once: {str(error).strip()}") from error


def _text_of(notice: Notice) -> str:
    return f"{notice.correlation_id} {b64encode(notice.value).decode()}"


def _notice_of(text: str) -> Notice | None:
    correlation_id, _, value = text.rpartition(" ")
    try:
        return Notice(correlation_id, b64decode(value, validate=True))
    except ValueError:
        return None
