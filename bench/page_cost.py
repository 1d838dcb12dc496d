"""Bytes and script time of the pages until they settle, as a table of ``docs/pages.md``."""

from __future__ import annotations

from statistics import median
from typing import Any, Final

from playwright.sync_api import BrowserContext, Page

from bench.page import replace_part
from bench.results import ROOT
from tests.harness.chromium import WEIGHT

PAGE: Final = ROOT / "docs" / "pages.md"
_LOADS: Final = 5


def cost_of(context: BrowserContext, address: str) -> tuple[int, float]:
    """Load a page several times; return its bytes, uncompressed, and the median of its script seconds.

    Each load is in a new tab. A page has settled once it is live.
    """
    loads = []
    for _ in range(_LOADS):
        page = context.new_page()
        measured = context.new_cdp_session(page)
        measured.send("Performance.enable")
        page.goto(address)
        settle(page)
        figures: list[dict[str, Any]] = measured.send("Performance.getMetrics")["metrics"]
        seconds = next(it["value"] for it in figures if it["name"] == "ScriptDuration")
        loads.append((int(page.evaluate(WEIGHT)), float(seconds)))
        page.close()
    return max(size for size, _ in loads), median(seconds for _, seconds in loads)


def settle(page: Page) -> None:
    """Wait until a page is loaded and live."""
    page.wait_for_load_state("load")
    page.wait_for_function("document.getElementById('offline').hidden")


def write_costs(costs: dict[str, tuple[int, float]]) -> None:
    """Write the table."""
    lines = ["| page | kB, uncompressed | script, ms |", "|---|---:|---:|"]
    lines += [
        f"| {name} | {size / 1000:.0f} | {seconds * 1000:.0f} |" for name, (size, seconds) in costs.items()
    ]
    replace_part("page-cost", "\n".join(lines), PAGE)
