"""``interactions demo`` as a process: its results are right, it ends by itself and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(400)]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder that other users can search, like /tmp: Postgres may run as another user."""
    folder = Path(tempfile.mkdtemp(prefix="t-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_the_demo_ends_by_itself_and_leaves_nothing_behind(temporary: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INTERACTIONS_")}
    # Servers in the environment may hold real data: the demo must not connect to them.
    environment |= {"TMPDIR": str(temporary), "INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--customers", "40"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    assert "Every command has its expected outcome." in done.stdout
    assert "OVERDUE" in done.stdout
    assert "No violation." in done.stdout
    assert "Signal “Send the price list” resolved by email" in done.stdout
    assert re.search(r"Every resolved signal has its draft: ([1-9]\d*) of \1\.", done.stdout), done.stdout
    assert list(temporary.glob("interactions-*")) == []
    assert _processes_of(temporary) == []


def _processes_of(folder: Path) -> list[str]:
    """Command lines of processes that contain the folder's path."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found
