"""quixstreams' PostgreSQLSink as its documentation configures it for throughput: one batch per commit.

Runs in a separate environment (``quix.requirements.lock``) and imports nothing from this project. Arguments:
brokers, topic, consumer group, host, port, database, user, table; the password is read from ``PGPASSWORD``.
"""

import os
import sys

from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink


def main() -> None:
    """Run until SIGTERM."""
    brokers, topic, group, host, port, database, user, table = sys.argv[1:]
    app = Application(
        broker_address=brokers,
        consumer_group=group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_every=2000,
        commit_interval=0.5,
        loglevel="WARNING",
    )
    sink = PostgreSQLSink(
        host=host,
        port=int(port),
        dbname=database,
        user=user,
        password=os.environ["PGPASSWORD"],
        table_name=table,
        schema_auto_update=False,
        primary_key_columns="id",
        upsert_on_primary_key=True,
        include_metadata=False,
    )
    rows = app.dataframe(app.topic(topic, value_deserializer="json"))
    rows.sink(sink)
    app.run()


if __name__ == "__main__":
    main()
