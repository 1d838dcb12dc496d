"""Watermark per partition: never past the log end, never behind the committed offsets (A6)."""

from __future__ import annotations

from audit.dead_letters import COMMANDS
from audit.findings import Report
from audit.history import History, Offsets


def read_watermark(history: History, report: Report) -> Offsets:
    """Read the first offset not yet applied, per partition, from ``consumed_offsets``."""
    a6, cut = report.checks["A6"], history.cut
    end, watermark = cut.end.get(COMMANDS, {}), dict[int, int]()
    for row in history.rows("consumed_offsets"):
        if row["consumer_group"] != cut.group or row["topic"] != cut.commands:
            continue
        partition, following = row["partition"], row["next_offset"]
        a6.checked += 1
        where = {"table": "consumed_offsets", "partition": partition, "next_offset": following}
        watermark[partition] = following
        if following > end.get(partition, 0):
            a6.fail(f"the watermark is past the end of the log ({end.get(partition, 0)})", **where)
        if row["results_offset"] > following:
            a6.fail(f"results_offset {row['results_offset']} is past the watermark", **where)
    for partition, committed in cut.committed.items():
        a6.checked += 1
        if committed > max(watermark.get(partition, 0), 0):
            a6.fail(
                f"the group has committed {committed}, past the watermark",
                topic=cut.commands,
                partition=partition,
                next_offset=watermark.get(partition, 0),
            )
    return watermark
