"""A real browser for acceptance tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

#: The shell without windows first: it needs a third less processor time.
_NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable")
#: Script: bytes of a page with everything that it loads, uncompressed.
WEIGHT: Final = """
[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, it) => sum + it.decodedBodySize, 0)
"""
#: Milliseconds for which an expectation may become true, on a machine with other work.
_PATIENCE: Final = 30_000
#: Set where a missing browser is a failure, not a reason to skip.
_REQUIRED: Final = "INTERACTIONS_TEST_BROWSER_REQUIRED"


def chromium_path() -> str | None:
    """The browser's program, or ``None`` if this machine has none."""
    return next((path for name in _NAMES if (path := shutil.which(name)) is not None), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser for the duration of a block; skip the test where there is none."""
    path = chromium_path()
    if path is None:
        text = "Chromium is not installed. On Debian, as root: apt-get install chromium"
        if os.environ.get(_REQUIRED):
            pytest.fail(text)
        pytest.skip(text)
    # Chromium's own sandbox refuses to run as root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()
