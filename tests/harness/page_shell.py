"""Run the marked lines of a page as a reader does: in one shell, with the programs on the path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stack.down import stop_stack
from stack.launch import launch_stack

ROOT = Path(__file__).parents[2]


def run_lines(
    lines: str, variables: Mapping[str, str], tools: Path, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run lines in bash.

    :param variables: environment, to which the programs are added.
    :param tools: empty folder for ``interactions`` and ``python``.
    """
    for name, arguments in (("interactions", " -m cli.main"), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable}{arguments} "$@"\n')
        (tools / name).chmod(0o755)
    bash = shutil.which("bash")
    assert bash
    return subprocess.run(
        [bash, "-c", lines],
        env={**variables, "PATH": f"{tools}:{variables['PATH']}", "PYTHONPATH": str(ROOT)},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


@contextmanager
def stack_of(roles: str) -> Iterator[dict[str, str]]:
    """Start a stack of its own; yield the environment of its user."""
    outside = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("INTERACTIONS_")}
    home = Path(tempfile.mkdtemp(prefix="interactions-docs-"))
    try:
        launch_stack(home, roles, stop_with_parent=True)
        yield {**os.environ, "INTERACTIONS_HOME": str(home)}
    finally:
        stop_stack(home)
        shutil.rmtree(home)
        os.environ.update(outside)
