"""``python -m tests.harness.stalled_role run applier``: a role that works for a while, then gets no input.

The applier's partitions are paused for good after its first records. The relay sees no work once it has
published. All stages stay alive and wait.
"""

from __future__ import annotations

import sys
from typing import Any

from cli.main import main
from sinks import journal_reader
from streams.applier.consumer import Reader
from streams.relay import relay
from streams.relay.checkpoint import EVENTS_SHARD
from streams.relay.publisher import RelayPublisher


def _stall_reader() -> None:
    poll = Reader._poll

    def once(self: Reader) -> list[Any]:
        messages = poll(self)
        if messages:
            self.consumer.pause(self.consumer.assignment())
        return messages

    Reader._poll = once  # type: ignore[method-assign]


def _stall_relay() -> None:
    publish, xmin = RelayPublisher.publish, journal_reader.snapshot_xmin
    published: list[bool] = []

    def noting(self: RelayPublisher, records: Any, shard: str | None, checkpoint: Any) -> None:
        publish(self, records, shard, checkpoint)
        if shard == EVENTS_SHARD:
            published.append(True)

    RelayPublisher.publish = noting  # type: ignore[method-assign]
    vars(relay)["snapshot_xmin"] = lambda connection: 0 if published else xmin(connection)


if __name__ == "__main__":
    _stall_reader()
    _stall_relay()
    sys.argv[0] = "interactions"
    main()
