"""``python -m bench.screenshots``: pictures and costs of pages over a generated week, for the docs."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from bench.page_cost import cost_of, settle, write_costs
from bench.results import ROOT
from cli.demo.week import publish_week
from cli.open_command import sign_in_link
from examples.generate_week import week_samples
from examples.week.dictionaries import dictionary_samples
from runtime.settings import Settings, load_settings
from stack.down import stop_stack
from stack.launch import launch_stack
from stack.roles import default_roles
from tests.harness.chromium import chromium_path

FOLDER: Final = ROOT / "docs" / "pictures"
_CUSTOMERS: Final = 120
_SEED: Final = 7
_PROFILES: Final[Mapping[str, Mapping[str, object]]] = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
}
#: Page → address; some are found by following the first link of another page.
_PAGES: Final[Mapping[str, tuple[str, str | None]]] = {
    "dashboard": ("/backend/dashboard", None),
    "tasks": ("/backend/customer-tasks", None),
    "work-through": ("/backend/customer-tasks/work", None),
    "companies": ("/backend/customers/companies", None),
    "customer": ("/backend/customer-tasks", ".row-facts a"),
    "interaction": ("/backend/customer-tasks", "a.row-title"),
    "signals": ("/backend/signals", None),
    "drafts": ("/backend/drafts", None),
    "integrations": ("/backend/integrations", None),
    "operations": ("/backend/operations", None),
    "dead-letters": ("/backend/operations/dead-letters", None),
    "settings": ("/backend/settings", None),
}


def main() -> None:
    """Start a stack with a week of data, take every picture, and measure every page."""
    path = chromium_path()
    if path is None:
        sys.exit("Chromium is not installed. On Debian, as root: apt-get install chromium")
    home = Path(tempfile.mkdtemp(prefix="interactions-pictures-"))
    os.environ["INTERACTIONS_HOME"] = str(home)
    try:
        launch_stack(home, default_roles(), ephemeral=True, stop_with_parent=True, progress=_say)
        tenant, organization = _fill(load_settings())
        with sync_playwright() as driver:
            arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = driver.chromium.launch(executable_path=path, args=arguments)
            for name, options in _PROFILES.items():
                link = sign_in_link(home, tenant, organization, name="Erika Mustermann")
                _take_all(browser, name, options, link)
            write_costs(_costs(browser, sign_in_link(home, tenant, organization)))
            browser.close()
    finally:
        stop_stack(home)


def _fill(settings: Settings) -> tuple[str, str]:
    now = datetime.now(UTC)
    week = list(week_samples(_SEED, _CUSTOMERS, now))
    publish_week(settings, list(dictionary_samples(_SEED, now)), week)
    return week[0].event["tenantid"], week[0].event["organizationid"]


def _costs(browser: Browser, link: str) -> dict[str, tuple[int, float]]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    origin = page.url.partition("/backend")[0]
    costs = {}
    for name, (address, follow) in _PAGES.items():
        page.goto(origin + address)
        if follow is not None:
            page.locator(follow).first.click()
            page.wait_for_function("from => location.href !== from", arg=origin + address)
        costs[name] = cost_of(context, page.url)
        _say(f"{name}: {costs[name][0]:,} bytes, {costs[name][1] * 1000:.0f} ms of script")
    context.close()
    return costs


def _take_all(browser: Browser, profile: str, options: Mapping[str, object], link: str) -> None:
    context = browser.new_context(timezone_id="Europe/Berlin", locale="en-GB", **options)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(link)
    origin = page.url.partition("/backend")[0]
    for name, (address, follow) in _PAGES.items():
        page.goto(origin + address)
        if follow is not None:
            page.locator(follow).first.click()
        _take(page, FOLDER / f"{name}-{profile}.png")
    context.close()


def _take(page: Page, file: Path) -> None:
    settle(page)
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = Image.open(BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(file, optimize=True)
    _say(file.name)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
