"""The growth of a command's cost as plots: SVG files beside ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median

import pygal
from pygal.style import CleanStyle

from bench.results import ROOT
from bench.samples import Samples

FOLDER = ROOT / "docs" / "performance"


def draw(samples: Samples, folder: Path = FOLDER) -> list[Path]:
    """Draw what was measured.

    :raises MissingSample: an arm of the portrait did not run.
    """
    folder.mkdir(exist_ok=True)
    growth = samples.all("growth")
    sizes = {
        str(growth[-1][name]): 1e6 / median(float(sample[f"{name}_rate"]) for sample in growth)
        for name in ("few", "many")
    }
    plots = (
        ("batch-size", "commands in a transaction", samples.all("batch_sizes")[-1]["us"]),
        ("fan-out", "customers in the run", samples.all("fan_out")[-1]["us"]),
        ("table-size", "interactions in the table", sizes),
    )
    return [_plot(folder / f"{name}.svg", along, costs) for name, along, costs in plots]


def _plot(path: Path, along: str, microseconds: Mapping[str, float]) -> Path:
    chart = pygal.Bar(
        title=f"Cost of a command by {along}",
        x_title=along,
        y_title="µs a command, through SQL only",
        show_legend=False,
        print_values=True,
        formatter=lambda value: f"{value:.0f}",
        style=CleanStyle(value_font_size=12),
        range=(0, max(microseconds.values()) * 1.1),
        width=720,
        height=400,
        js=(),
        explicit_size=True,
    )
    chart.x_labels = [f"{int(size):,}" for size in microseconds]
    chart.add("", list(microseconds.values()))
    chart.render_to_file(str(path))
    return path
