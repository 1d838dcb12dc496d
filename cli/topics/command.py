"""``interactions topics``: compare the topics with the catalogue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from runtime.settings import load_settings
from schemas.topics import DAY_MS

if TYPE_CHECKING:
    from runtime.topic_states import TopicState

_PIPED_WIDTH: Final = 160
_EXAMPLES = """
[bold]Examples[/bold]

  interactions topics                        show topics and differences

  interactions topics --create               create missing topics and register the schemas

  interactions topics --json | jq '.topics[].findings'
"""


def register(app: typer.Typer) -> None:
    """Add ``topics``."""
    app.command("topics", epilog=_EXAMPLES)(topics)


def topics(
    create: Annotated[
        bool,
        typer.Option("--create", help="First create missing topics and register the Avro schemas."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the topics and their differences from the catalogue. Existing topics are never changed.

    Exit status: 0 every role can work with the topics (there may be warnings), 1 otherwise.
    """
    # Imported late: the client libraries would slow every other command.
    from runtime.schema_registration import register_schemas
    from runtime.topic_states import topic_states
    from runtime.topics import ensure_topics

    settings = load_settings()
    created: list[str] = []
    schemas: dict[str, int] = {}
    if create:
        created = ensure_topics(settings)
        schemas = register_schemas(settings)
    states = topic_states(settings)
    if as_json:
        shown = {"created": created, "schemas": schemas, "topics": [state.to_json() for state in states]}
        typer.echo(json.dumps(shown, indent=2))
    else:
        _show(states, created, schemas)
    if any(finding.severity == "fatal" for state in states for finding in state.findings):
        raise typer.Exit(1)


def _show(states: list[TopicState], created: list[str], schemas: dict[str, int]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPED_WIDTH
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("topic", no_wrap=True)
    table.add_column("parts", no_wrap=True, justify="right")
    for title in ("cleanup", "retention"):
        table.add_column(title, no_wrap=True)
    table.add_column("records", no_wrap=True, justify="right")
    table.add_column("state", no_wrap=True)
    for state in states:
        table.add_row(
            state.name,
            _or_dash(state.partitions),
            state.cleanup or "-",
            _retention(state),
            "-" if state.records is None else f"~{state.records:,}",
            _verdict(state),
        )
    console.print(table)
    if schemas:
        console.print(f"Created {len(created)} topics, registered {len(schemas)} schemas.")
    for state in states:
        for finding in state.findings:
            console.print(f"{finding.severity}: {finding}", markup=False, soft_wrap=True)


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)


def _retention(state: TopicState) -> str:
    if state.partitions is None:
        return "-"
    if state.retention_ms is None:
        return "newest per key" if state.cleanup == "compact" else "forever"
    days = state.retention_ms / DAY_MS
    return f"{days:g} days" if days >= 1 else f"{state.retention_ms / 3_600_000:g} hours"


def _verdict(state: TopicState) -> str:
    if state.partitions is None:
        return "[red]missing[/red]"
    if any(finding.severity == "fatal" for finding in state.findings):
        return "[red]wrong[/red]"
    return "[yellow]differs[/yellow]" if state.findings else "[green]ok[/green]"
