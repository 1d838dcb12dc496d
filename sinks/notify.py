"""NOTIFY after a commit: hints that nothing relies on.

One notification wakes the relay. The others carry an outcome to the gateway that waits for it; the results
topic delivers it too, but one Kafka transaction later.
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

JOURNAL_CHANNEL: Final = "interactions_journal"
_OUTCOME_CHANNEL: Final = "interactions_outcomes"
#: Bytes; PostgreSQL documentation, NOTIFY.
_LONGEST: Final = 7_999
_NOTIFY: Final = "SELECT pg_notify(channel, text) FROM unnest(%s::text[], %s::text[]) AS n (channel, text)"


@dataclass(frozen=True, slots=True)
class Notice:
    """Outcome of one command, for the gateway that waits for it.

    :param correlation_id: set by the gateway in its request.
    :param value: the result record's value, as on the results topic.
    """

    correlation_id: str
    value: bytes


def notify_committed(connection: Connection, notices: Sequence[Notice] = ()) -> None:
    """Notify listeners that rows were committed, and of the outcomes; leave out notices that are too long.

    Hazard: a NOTIFY inside the batch transaction takes a lock at commit that serialises all appliers of
    the database.

    :param connection: in autocommit, after the commit.
    :raises psycopg.Error: no notification was sent; in a pipeline, raised at its end.
    """
    payloads = [_text_of(notice) for notice in notices]
    texts = ["", *(text for text in payloads if len(text) <= _LONGEST)]
    channels = [JOURNAL_CHANNEL, *[_OUTCOME_CHANNEL] * (len(texts) - 1)]
    connection.execute(_NOTIFY, (channels, texts))


async def outcomes(settings: Settings) -> AsyncIterator[Notice]:
    """Yield notices from now on, until the connection ends.

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
        raise Retry(
            f"LISTEN for outcomes ended ({str(error).strip()}); they arrive by the results topic only"
        ) from error


def _text_of(notice: Notice) -> str:
    return f"{notice.correlation_id} {b64encode(notice.value).decode()}"


def _notice_of(text: str) -> Notice | None:
    correlation_id, _, value = text.rpartition(" ")
    try:
        return Notice(correlation_id, b64decode(value, validate=True))
    except ValueError:
        return None
