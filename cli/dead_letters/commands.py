"""``interactions dead-letters``: list, show and replay records that could not be applied."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.console import console, table
from cli.dead_letters.dead_letter import replay
from cli.kafka_clients import reading
from cli.publish.input_lines import InputCommand, Unsendable
from cli.publish.publishing import ListSource, publishing
from cli.publish.report_view import show_report
from cli.relative_times import relative
from cli.topics.record_view import RecordView, make_decoder
from runtime.dead_letters import DeadLetter, read_dead_letter, replays_of
from runtime.settings import Settings, load_settings
from schemas.errors import Reject
from schemas.instants import from_epoch_ms
from schemas.topics import COMMANDS, DEAD_LETTERS

_EXAMPLES = """
[bold]Examples[/bold]

  interactions dead-letters list

  interactions dead-letters show 3:17

  interactions dead-letters replay 3:17 4:2

  interactions dead-letters replay --all --error-class unknown_schema_id
"""
_REPLAY_HELP = (
    "Send the original records to the commands topic again, and wait for their outcomes.\n\n"
    "Key, value and headers are unchanged, and so is the event id: a command that has been applied in the "
    "meantime returns duplicate. Replay after the cause is fixed (a schema was registered, a decoder was "
    "repaired); an invalid record fails again. Each original is replayed --max-tries times at most.\n\n"
    "Exit status: 0 all were applied; 1 at least one was rejected again, not sent or unknown."
)


def register(app: typer.Typer) -> None:
    """Add ``dead-letters``."""
    group = typer.Typer(
        name="dead-letters",
        help="List, show and replay records that could not be applied.",
        epilog=_EXAMPLES,
        no_args_is_help=True,
    )
    group.command("list", help="List dead letters with reason, origin and replays.")(list_dead_letters)
    group.command("show", help="Show one dead letter with its headers and content.")(show_dead_letter)
    group.command("replay", help=_REPLAY_HELP, epilog=_EXAMPLES)(replay_dead_letters)
    app.add_typer(group)


def list_dead_letters(
    *,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number, newest first.")] = 50,
    error_class: Annotated[str | None, typer.Option(help="Only this class of error.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """List dead letters."""
    dead_letters = [
        dead_letter
        for dead_letter in _read_all(load_settings())
        if error_class in (None, dead_letter.error_class)
    ]
    newest = dead_letters[-limit:]
    if as_json:
        for dead_letter in newest:
            sys.stdout.write(json.dumps(dead_letter.to_json(), ensure_ascii=False) + "\n")
        return
    if not newest:
        console().print("There are no dead letters.")
        return
    title = (
        f"{len(newest)} of {len(dead_letters)} dead letters" if len(dead_letters) > limit else "Dead letters"
    )
    rows = table(title)
    for name in ("id", "when", "error class"):
        rows.add_column(name, no_wrap=True)
    rows.add_column("reason", overflow="fold")
    rows.add_column("failed at", overflow="fold")
    rows.add_column("replays", justify="right")
    now = datetime.now(UTC)
    for dead_letter in newest:
        when = relative(from_epoch_ms(dead_letter.record.timestamp_ms), now)
        at = f"{dead_letter.failed_at[0]} {dead_letter.failed_at[1]}:{dead_letter.failed_at[2]}"
        rows.add_row(
            dead_letter.id,
            when,
            escape(dead_letter.error_class),
            escape(dead_letter.reason),
            escape(at),
            str(dead_letter.replays),
        )
    console().print(rows)


def show_dead_letter(
    dead_letter_id: Annotated[
        str, typer.Argument(metavar="ID", help="As the list shows it: partition:offset.")
    ],
) -> None:
    """Show one dead letter as JSON: headers and content."""
    settings = load_settings()
    dead_letter = _find(_read_all(settings), [dead_letter_id])[0]
    shown = {
        **dead_letter.to_json(),
        "record": RecordView(make_decoder(settings)).to_json(dead_letter.record),
    }
    sys.stdout.write(json.dumps(shown, ensure_ascii=False, indent=2) + "\n")


def replay_dead_letters(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Dead letter ids.")] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="All that may still be replayed, once per original.")
    ] = False,
    error_class: Annotated[str | None, typer.Option(help="With --all: only this class of error.")] = None,
    max_tries: Annotated[int, typer.Option(min=1, help="Maximum replays per original.")] = 3,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds without progress to wait.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Send the original records to the commands topic again."""
    if bool(ids) == every:
        raise typer.BadParameter("give dead letter ids, or --all", param_hint="ID")
    if error_class is not None and not every:
        raise typer.BadParameter("is only valid with --all", param_hint="--error-class")
    settings = load_settings()
    dead_letters = _read_all(settings)
    chosen = (
        _newest_of_each(dead_letters, error_class, max_tries) if every else _find(dead_letters, ids or [])
    )
    if len({dead_letter.original for dead_letter in chosen}) < len(chosen):
        raise Reject(
            "replay_twice",
            "Two of these dead letters are replays of the same original. Nothing was sent; name one of them.",
        )
    topic = settings.topic(COMMANDS)
    records = [
        _replayed(dead_letter, number, dead_letters, max_tries=max_tries, topic=topic, every=every)
        for number, dead_letter in enumerate(chosen, 1)
    ]
    if not records:
        Console(stderr=True).print("No dead letters to replay.")
        return
    with publishing(settings, timeout=timeout) as publisher:
        report = publisher.run(ListSource(records))
    if as_json:
        names = {"letters": [dead_letter.id for dead_letter in chosen]}
        sys.stdout.write(json.dumps({**names, **report.to_json()}, ensure_ascii=False) + "\n")
    else:
        show_report(console(), report, timeout=timeout)
    raise typer.Exit(report.exit_code(allow_rejected=False))


def _replayed(
    dead_letter: DeadLetter,
    number: int,
    dead_letters: list[DeadLetter],
    *,
    max_tries: int,
    topic: str,
    every: bool,
) -> InputCommand | Unsendable:
    """The record to send; with ``--all`` a dead letter that cannot be replayed is reported and skipped.

    :raises Reject: without ``--all``.
    """
    try:
        replays = replays_of(dead_letter.original, dead_letters)
        return replay(dead_letter, number=number, replays=replays, max_tries=max_tries, commands_topic=topic)
    except Reject as rejection:
        if not every:
            raise
        return Unsendable(number, rejection.code, rejection.detail)


def _read_all(settings: Settings) -> list[DeadLetter]:
    """Every retained dead letter, oldest first."""
    with reading(settings, DEAD_LETTERS) as tail:
        dead_letters = [
            dead_letter for record in tail.to_end() if (dead_letter := read_dead_letter(record)) is not None
        ]
    return sorted(dead_letters, key=lambda dead_letter: dead_letter.record.timestamp_ms)


def _find(dead_letters: list[DeadLetter], wanted: list[str]) -> list[DeadLetter]:
    known = {dead_letter.id: dead_letter for dead_letter in dead_letters}
    missing = [dead_letter_id for dead_letter_id in wanted if dead_letter_id not in known]
    if missing:
        raise Reject(
            "letter_not_found",
            f"No such dead letter: {', '.join(missing)}. See: interactions dead-letters list",
            status=404,
        )
    return [known[dead_letter_id] for dead_letter_id in dict.fromkeys(wanted)]


def _newest_of_each(
    dead_letters: list[DeadLetter], error_class: str | None, max_tries: int
) -> list[DeadLetter]:
    """The newest dead letter per original, without originals at the replay limit."""
    newest = {dead_letter.original: dead_letter for dead_letter in dead_letters}
    return [
        dead_letter
        for dead_letter in newest.values()
        if error_class in (None, dead_letter.error_class)
        and replays_of(dead_letter.original, dead_letters) < max_tries
    ]
