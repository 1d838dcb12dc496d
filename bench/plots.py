"""Plots of the cost per command: SVG files next to ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.results import ROOT
from bench.samples import Samples

FOLDER = ROOT / "docs" / "performance"


def draw(samples: Samples, folder: Path = FOLDER) -> list[Path]:
    """Draw the plots from the samples.

    :raises MissingSample: a profile scenario did not run.
    """
    folder.mkdir(exist_ok=True)
    growth = samples.all("growth")
    sizes = {
        str(growth[-1][name]): 1e6 / median(float(sample[f"{name}_rate"]) for sample in growth)
        for name in ("few", "many")
    }
    plots = (
        ("batch-size", "commands per transaction", samples.all("batch_sizes")[-1]["us"]),
        ("fan-out", "customers in the run", samples.all("fan_out")[-1]["us"]),
        ("table-size", "interactions in the table", sizes),
    )
    return [_plot(folder / f"{name}.svg", along, costs) for name, along, costs in plots]


def _plot(path: Path, along: str, microseconds: Mapping[str, float]) -> Path:
    # A fixed salt and no date keep the file reproducible.
    with mpl.rc_context({"svg.hashsalt": path.stem, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.add_subplot()
        bars = axes.bar(
            [f"{int(size):,}" for size in microseconds], list(microseconds.values()), color="#059669"
        )
        axes.bar_label(bars, fmt="%.0f", padding=2)
        axes.set_title(f"Cost per command by {along}")
        axes.set_xlabel(along)
        axes.set_ylabel("µs per command, through SQL only")
        axes.set_ylim(0, max(microseconds.values()) * 1.12)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, format="svg", metadata={"Date": None})
    return path
