"""``interactions tail``: print the records of a topic, decoded, one per line."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import Annotated, Final

import typer

from cli.kafka_clients import reading
from cli.topics.record_view import RecordView, make_decoder
from runtime.settings import load_settings
from runtime.topic_tail import TopicTail
from schemas.incoming_record import IncomingRecord
from schemas.topics import (
    COMMANDS,
    DEAD_LETTERS,
    DEAL_STATE,
    DRAFT_STATE,
    ENTITY_STATE,
    EVENTS,
    INTEGRATION_DECISIONS,
    INTEGRATION_EVENTS,
    INTEGRITY_EVENTS,
    INTERACTION_STATE,
    NEXT_INTERACTION_STATE,
    RELAY_POSITION,
    RESULTS,
    SIGNAL_STATE,
    TYPE_STATE,
)

_HELP = (
    "Print the committed records of a topic, decoded, one per line.\n\n"
    "Follows the topic from its end (with --from-beginning: from the oldest record) until Ctrl-C or "
    "--limit. With --no-follow it prints the last 20 records (or --limit) and exits; with --no-follow "
    "--from-beginning it starts at the oldest. Records are in order per entity, not across entities."
)
_EXAMPLES = """
[bold]Examples[/bold]

  interactions tail events

  interactions tail results --no-follow --limit 5 --json

  interactions tail events --type customers.interaction.overdue --from-beginning
"""

_LAST: Final = 20


class Stream(StrEnum):
    """Topics that can be followed."""

    events = "events"
    results = "results"
    commands = "commands"
    interaction_state = "interaction-state"
    next_interaction_state = "next-interaction-state"
    customer_state = "customer-state"
    deal_state = "deal-state"
    type_state = "type-state"
    signal_state = "signal-state"
    draft_state = "draft-state"
    integration_events = "integration-events"
    integration_decisions = "integration-decisions"
    integrity_events = "integrity-events"
    dead_letters = "dead-letters"
    relay_position = "relay-position"


TOPIC_OF: Final = {
    Stream.events: EVENTS,
    Stream.results: RESULTS,
    Stream.commands: COMMANDS,
    Stream.interaction_state: INTERACTION_STATE,
    Stream.next_interaction_state: NEXT_INTERACTION_STATE,
    Stream.customer_state: ENTITY_STATE,
    Stream.deal_state: DEAL_STATE,
    Stream.type_state: TYPE_STATE,
    Stream.signal_state: SIGNAL_STATE,
    Stream.draft_state: DRAFT_STATE,
    Stream.integration_events: INTEGRATION_EVENTS,
    Stream.integration_decisions: INTEGRATION_DECISIONS,
    Stream.integrity_events: INTEGRITY_EVENTS,
    Stream.dead_letters: DEAD_LETTERS,
    Stream.relay_position: RELAY_POSITION,
}


def register(app: typer.Typer) -> None:
    """Add ``tail``."""
    app.command("tail", help=_HELP, epilog=_EXAMPLES)(tail)


def tail(
    stream: Annotated[Stream, typer.Argument(help="Topic to read.")],
    *,
    follow: Annotated[bool, typer.Option(help="Wait for new records, or exit at the newest.")] = True,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Start at the oldest record.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Exit after this many records.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only records of this entity id.")] = None,
    record_type: Annotated[str | None, typer.Option("--type", help="Only records of this type.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line, with headers and value.")
    ] = False,
) -> None:
    """Print the records of a topic."""
    settings = load_settings()
    view = RecordView(make_decoder(settings))

    def wanted(record: IncomingRecord) -> bool:
        return (entity is None or view.entity_of(record) == entity) and (
            record_type is None or view.type_of(record) == record_type
        )

    with reading(settings, TOPIC_OF[stream]) as topic:
        records: Iterator[IncomingRecord]
        if follow:
            records = filter(wanted, _follow(topic, from_beginning=from_beginning))
        else:
            records = filter(wanted, topic.to_end())
            if not from_beginning:
                records = iter(_newest(records, limit or _LAST))
        try:
            for record in islice(records, limit):
                line = (
                    json.dumps(view.to_json(record), ensure_ascii=False) if as_json else view.to_line(record)
                )
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
        except KeyboardInterrupt:
            raise typer.Exit(130 if not follow else 0) from None


def _follow(topic: TopicTail, *, from_beginning: bool) -> Iterator[IncomingRecord]:
    """Records from the current end, or from the beginning; never ends."""
    bounds = {partition: topic.bounds(partition) for partition in topic.partitions()}
    topic.add({partition: begin if from_beginning else end for partition, (begin, end) in bounds.items()})
    while True:
        yield from topic.take()


def _newest(records: Iterator[IncomingRecord], count: int) -> list[IncomingRecord]:
    """The newest records across partitions; partitions are in order, but interleaved arbitrarily."""
    kept: dict[int, deque[IncomingRecord]] = {}
    for record in records:
        kept.setdefault(record.partition, deque(maxlen=count)).append(record)
    everything = [record for partition in kept.values() for record in partition]
    everything.sort(key=lambda record: record.timestamp_ms)
    return everything[-count:]
