"""Standard output for tables."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 120


def console() -> Console:
    """Standard output, 120 columns wide if it is not a terminal."""
    output = Console(highlight=False)
    return output if output.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def table(title: str) -> Table:
    """An empty table in the style of all commands."""
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
