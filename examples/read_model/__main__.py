"""Build the read model and keep it up to date: the states first, then the events without a gap.

    python -m examples.read_model --file read-model.duckdb --no-follow

It can be interrupted at any time, also by ``kill -9``. The next run continues after the last transaction.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterable
from datetime import timedelta

from confluent_kafka import OFFSET_BEGINNING

from .queries import QUERIES
from .records import EVENTS, FOLLOWED_STATES, READ_ONCE, change_of
from .tables import ReadModel
from .topics import Topics

STATES = (*READ_ONCE, *FOLLOWED_STATES)
FOLLOWED = (EVENTS, *FOLLOWED_STATES)
#: Rows of the product, in the order of the summary.
SHOWN = ("interactions", "next_interactions", "entities", "deals", "interaction_types")


class Stopped(Exception):
    """The program is asked to stop."""


class Reader:
    """Reads topics into the tables, one transaction per batch.

    :param size: maximum number of records per transaction.
    :param stop: set to stop after the current transaction.
    """

    def __init__(self, model: ReadModel, topics: Topics, size: int, stop: threading.Event) -> None:
        self._model = model
        self._topics = topics
        self._size = size
        self._stop = stop

    def bootstrap(self, overlap: timedelta) -> None:
        """Read the states, and note where the events begin that the states do not include.

        One producer publishes events and states. Whenever it publishes states, they include every event that
        it has published before. So the states include every event that is older than the newest state, and
        may lack any other.

        :param overlap: tolerated difference between the clocks of the product's hosts. Events that are read
            although the states include them change nothing.
        :raises Stopped: see ``read``.
        """
        if not self._model.positions([EVENTS]):
            self.read(STATES)
            newest = self._model.newest_state
            since = newest - overlap if newest is not None else None
            self._model.apply((), self._topics.offsets_since(EVENTS, since))
        # Hazard: the ends of the topics were not read at the same instant. By now, each topic has what was
        # published together with the newest record above.
        self.read(STATES)
        self._model.finish()

    def read(self, topics: Iterable[str], *, follow: bool = False) -> None:
        """Apply the records of topics from the stored offsets to the ends as they are now.

        :param follow: continue until the program is asked to stop.
        :raises Stopped: it is asked to stop.
        """
        ends = self._topics.ends(topics)
        at = {**dict.fromkeys(ends, OFFSET_BEGINNING), **self._model.positions(topics)}
        if any(at[partition] > end for partition, end in ends.items()):
            raise SystemExit("A topic has been replaced by a new one. Delete the file and start over.")
        self._topics.assign(at)
        while follow or any(at[partition] < end for partition, end in ends.items()):
            if self._stop.is_set():
                raise Stopped
            batch = self._topics.take(self._size)
            if batch.positions:
                changes = filter(None, map(change_of, batch.records))
                self._model.apply(changes, batch.positions, batch.newest_state)
                at |= batch.positions
            if batch.records:
                print(f"applied {len(batch.records):,} records", file=sys.stderr, flush=True)


def summarize(model: ReadModel) -> None:
    """Print the number of rows of each table, and the results of the example queries."""
    for table in SHOWN:
        ((rows,),) = model.database.table(table).count("*").fetchall()
        print(f"{table:18} {rows:>12,}")
    for title, query in QUERIES.items():
        print(f"\n{title}")
        model.database.sql(query).show()


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m examples.read_model", description=__doc__)
    parser.add_argument("--file", default="read-model.duckdb", help="the DuckDB file")
    parser.add_argument("--follow", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--batch-size", type=int, default=10_000, help="records per transaction")
    parser.add_argument("--overlap", type=float, default=600.0, metavar="SECONDS")
    given = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    topics = Topics(
        os.environ["INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS"],
        os.environ["INTERACTIONS_SCHEMA_REGISTRY_URL"],
        os.environ.get("INTERACTIONS_TOPIC_PREFIX", ""),
    )
    with ReadModel(given.file) as model:
        reader = Reader(model, topics, given.batch_size, stop)
        try:
            if not model.finished:
                reader.bootstrap(timedelta(seconds=given.overlap))
            print(f"Following {EVENTS}", file=sys.stderr, flush=True)
            reader.read(FOLLOWED, follow=given.follow)
        except Stopped:
            if not model.finished:
                sys.exit("Stopped before the states were read; the next run continues here.")
        finally:
            topics.close()
        summarize(model)


if __name__ == "__main__":
    main()
