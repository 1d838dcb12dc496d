"""Run the blocks of docs/getting-started.md in one shell, in order, as a reader would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.settings import Settings
from tests.harness.marked_blocks import script_of
from tests.harness.page_shell import run_lines
from tests.harness.roles import environment, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/getting-started.md").read_text()


@pytest.mark.long
def test_the_guide_works_as_it_is_written(fresh_settings: Settings, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        lines = script_of(GUIDE, at_least=5)
        done = run_lines(lines, environment(fresh_settings), tools, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for text in (
        "Amber Mill Foods",
        "Call about the renewal",
        "validation_failed",
        "/titel",
        "No violation.",
    ):
        assert text in done.stdout, text
    events = re.findall(r"  (interaction\.\w+|next_interaction\.updated)  ", done.stdout)
    assert events == [
        "interaction.created",
        "next_interaction.updated",
        "interaction.completed",
        "next_interaction.updated",
        "interaction.reverted",
        "next_interaction.updated",
    ]


def test_the_example_program_gets_its_outcome(fresh_settings: Settings) -> None:
    with running(fresh_settings, "applier"):
        done = subprocess.run(
            [sys.executable, "-m", "examples.publish_with_confluent_kafka"],
            env=environment(fresh_settings),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
    assert (done.returncode, done.stdout.strip()) == (0, "applied"), done.stderr
